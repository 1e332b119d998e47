import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { parseJobs } from '../../src/cloud/jobs/index.ts';
import { openStore } from '../../src/cloud/store/index.ts';
import {
  DAY_MS,
  DAYS,
  INSERT_FIRES,
  insertActive,
  insertAudit,
  insertRuns,
  JOBS,
  PROJECTS,
  projectOf,
  slotsOf,
} from './contents.ts';

/** As many as the server takes by default (limits.queued). */
const ACTIVE = 100_000;
const AUDIT = 100_000;

const CREATE_SLOTS =
  'CREATE TEMP TABLE slots (slot bigint PRIMARY KEY, job text, project text, hosts integer, broken integer)';

export interface Filled {
  readonly url: string;
  /** By number. */
  readonly jobs: readonly string[];
  readonly firstMs: number;
  readonly lastMs: number;
}

async function withJobs(url: string): Promise<string[]> {
  await using store = await openStore(url, { schema: 'create', onIdleError: console.error });
  for (let project = 0; project < PROJECTS; project++) {
    const names = Array.from({ length: JOBS / PROJECTS }, (_, n) => n * PROJECTS + project);
    const lines = names.map((job) => `  ${nameOf(job)}: { class: 'App\\Job\\Report', pool: web }\n`);
    const definitions = parseJobs(`project: ${projectOf(project)}\njobs:\n${lines.join('')}`, 'jobs.yaml');
    await store.jobs.apply(definitions, { by: 'bench', nowMs: 0, prune: [], dryRun: false });
  }
  const ids = new Map((await store.jobs.list()).map(({ id, definition: { name } }) => [name, id]));
  return Array.from({ length: JOBS }, (_, job) => ids.get(nameOf(job)) ?? '');
}

export function nameOf(job: number): string {
  return `report-${String(job).padStart(3, '0')}`;
}

function timesOf(): { firstMs: number; lastMs: number } {
  const lastMs = Date.now();
  return { firstMs: lastMs - DAYS * DAY_MS, lastMs };
}

/** Indexes are made after the rows: ten times as fast, and they are the same. */
export async function fillPostgres(url: string, runs: number): Promise<Filled> {
  const jobs = await withJobs(url);
  const times = timesOf();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query("ALTER SYSTEM SET max_wal_size = '16GB'");
    await client.query('SELECT pg_reload_conf()');
    await client.query("SET maintenance_work_mem = '1GB'; SET synchronous_commit = off");
    await client.query(CREATE_SLOTS);
    await client.query(
      'INSERT INTO slots SELECT slot, job, project, hosts, "isBroken"::int FROM ' +
        'json_to_recordset($1) AS s(slot bigint, job text, project text, hosts int, "isBroken" boolean)',
      [JSON.stringify(slotsOf(jobs))],
    );
    const { rows: indexes } = await client.query<{ name: string; sql: string }>(
      "SELECT indexname AS name, indexdef AS sql FROM pg_indexes WHERE tablename = 'runs' AND indexname <> 'runs_pkey'",
    );
    for (const { name } of indexes) await client.query(`DROP INDEX ${name}`);
    const numbers = (n: number): string => `generate_series(0::bigint, ${n - 1}) AS g(i)`;
    const key = (kind: string): string => `md5('${kind}' || i)::uuid::text`;
    await client.query(insertRuns(numbers(runs), key('r'), runs, times.firstMs));
    await client.query(insertActive(numbers(ACTIVE), key('a'), times.lastMs));
    for (const { sql } of indexes) await client.query(sql);
    await client.query(INSERT_FIRES);
    await client.query(insertAudit(numbers(AUDIT), times.firstMs));
    // As autovacuum would have done by then.
    await client.query('VACUUM ANALYZE');
    await client.query('CHECKPOINT');
  } finally {
    await client.end();
  }
  return { url, jobs, ...times };
}

export async function fillSqlite(file: string, runs: number): Promise<Filled> {
  const url = `sqlite:${file}`;
  const jobs = await withJobs(url);
  const times = timesOf();
  using database = new DatabaseSync(file);
  database.exec(`PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000; ${CREATE_SLOTS}`);
  database
    .prepare(
      "INSERT INTO slots SELECT value ->> 'slot', value ->> 'job', value ->> 'project', value ->> 'hosts', " +
        "value ->> 'isBroken' FROM json_each(?)",
    )
    .run(JSON.stringify(slotsOf(jobs)));
  const numbers = (n: number): string =>
    `(WITH RECURSIVE g(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM g WHERE i < ${n - 1}) SELECT i FROM g) AS g`;
  const key = "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || hex(randomblob(9)))";
  for (const statement of [
    'BEGIN',
    insertRuns(numbers(runs), key, runs, times.firstMs),
    insertActive(numbers(ACTIVE), key, times.lastMs),
    INSERT_FIRES,
    insertAudit(numbers(AUDIT), times.firstMs),
    'COMMIT',
    'PRAGMA wal_checkpoint(TRUNCATE)',
  ])
    database.exec(statement);
  return { url, jobs, ...times };
}
