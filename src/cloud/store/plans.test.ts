// That no list or search reads all of a table or sorts all it finds, on both databases: by the plans that they make.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { CamelCasePlugin, CompiledQuery, Kysely, sql } from 'kysely';
import { parseJobs } from '../jobs/index.ts';
import { Access } from './access.ts';
import { Audit } from './audit.ts';
import { type Engine, postgresEngine, sqliteEngine } from './dialects/index.ts';
import { Postgres } from './fixtures/postgres.ts';
import { openStore } from './index.ts';
import { Jobs } from './jobs.ts';
import { Ledger } from './ledger.ts';
import { type RunFilter, Runs } from './runs.ts';
import type { Database } from './schema.ts';
import type { HostId, JobId, RunKey } from './vocabulary.ts';

const RUNS = 20_000;
const JOBS = 2_000;
const NOW_MS = 90 * 86_400_000;

/** What goes wrong in a plan: one line each. */
type Offences = (plan: readonly object[]) => string[];

/** A store whose statements are heard, with the plan for each. */
class Listened implements AsyncDisposable {
  readonly db: Kysely<Database>;
  readonly access: Access;
  readonly #explain: (text: string) => string;
  readonly #offences: Offences;
  #heard: CompiledQuery[] = [];

  constructor(engine: Engine, explain: (text: string) => string, offences: Offences) {
    this.db = new Kysely<Database>({
      dialect: engine.dialect,
      plugins: [new CamelCasePlugin()],
      log: ({ query }) => void this.#heard.push(query),
    });
    this.access = new Access(this.db, engine);
    this.#explain = explain;
    this.#offences = offences;
  }

  /** Asserts that everything `work` asks for is found by indexes. */
  async assertFound(what: string, work: () => Promise<unknown>): Promise<void> {
    this.#heard = [];
    await work();
    const heard = this.#heard.filter(({ sql: text }) => /^\s*(?:select|insert|update|delete)/i.test(text));
    assert.ok(heard.length > 0, what);
    for (const { sql: text, parameters } of heard) {
      // Nothing is looked for.
      if (/1 = 0/.test(text)) continue;
      const query = CompiledQuery.raw(this.#explain(text), [...parameters]);
      const { rows } = await this.db.withoutPlugins().executeQuery<object>(query);
      assert.deepEqual(this.#offences(rows), [], `${what}\n${text}\n${JSON.stringify(rows, null, 1)}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.db.destroy();
  }
}

const BIG = /^(?:runs|fires|audit)$/;

/** So many may be sorted: those that a page may have, or a merge of a few. */
const FEW = 300;

interface PostgresNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  /** Those that were really there; the plan's guess where it was only planned. */
  readonly 'Actual Rows'?: number;
  readonly 'Plan Rows': number;
  readonly Plans?: readonly PostgresNode[];
}

function postgresOffences({
  'Node Type': type,
  'Relation Name': relation = '',
  Plans: plans = [],
}: PostgresNode): string[] {
  const isSort =
    type.endsWith('Sort') && plans.some((plan) => (plan['Actual Rows'] ?? plan['Plan Rows']) > FEW);
  const isOffence = isSort || (type === 'Seq Scan' && BIG.test(relation));
  return [...(isOffence ? [`${type} ${relation}`] : []), ...plans.flatMap(postgresOffences)];
}

const onPostgres: Offences = ([row]) => {
  const [{ Plan: plan }] = (row as { 'QUERY PLAN': [{ Plan: PostgresNode }] })['QUERY PLAN'];
  return postgresOffences(plan);
};

/** https://sqlite.org/eqp.html. A scan USING an index, and that of `audit` by its id, is one in order, which the limit ends. */
const onSqlite: Offences = (rows) => {
  const steps = rows as readonly { parent: number; detail: string }[];
  const readsTable = (parent: number): boolean =>
    steps.some(
      (step) => step.parent === parent && /^(?:SCAN|SEARCH) (?:runs|fires|audit) USING/.test(step.detail),
    );
  return steps
    .filter(
      ({ detail, parent }) =>
        detail === 'SCAN fires' ||
        (detail === 'SCAN runs' && !steps.some((step) => /^CO-ROUTINE|^MATERIALIZE/.test(step.detail))) ||
        (/USE TEMP B-TREE FOR .*ORDER BY/.test(detail) && readsTable(parent)),
    )
    .map(({ detail }) => detail);
};

const folder = mkdtempSync(join(tmpdir(), 'rocksy-plans-'));
let postgres: Postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(async () => {
  await postgres[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const key = (run: number): string => `00000000-0000-4000-8000-${String(run).padStart(12, '0')}`;

/** A few jobs, hosts and projects have most of the runs; one outcome is rare; few have not ended. */
async function fill({ db }: Access, analyzes: boolean): Promise<{ readonly jobs: readonly JobId[] }> {
  const jobs = (await db.selectFrom('jobs').select(['id', 'project']).orderBy('name').execute()).map(
    (job) => job,
  );
  const skewed = (run: number, count: number): number =>
    Math.min(count - 1, Math.floor(count * (((run * 2654435761) % 2 ** 32) / 2 ** 32) ** 4));
  const rows = Array.from({ length: RUNS }, (_, run) => {
    const job = jobs[skewed(run, jobs.length)];
    assert.ok(job !== undefined);
    const isActive = run % 200 === 199;
    const outcome = run % 5000 === 0 ? 'lost' : run % 50 === 0 ? 'failed' : 'succeeded';
    const queuedMs = Math.floor((NOW_MS * run) / RUNS);
    return {
      key: key(run) as RunKey,
      jobId: run % 10 === 0 ? null : job.id,
      jobVersion: 1,
      project: job.project,
      pool: 'web',
      spec: '{}',
      cause: 'schedule' as const,
      state: isActive ? ('queued' as const) : ('ended' as const),
      outcome: isActive ? null : (outcome as 'lost'),
      hostId: isActive ? null : (`host-${skewed(run * 7, 20)}` as HostId),
      attempt: 1,
      priority: 0,
      queuedMs,
      endedMs: isActive ? null : queuedMs + 1000,
    };
  });
  for (let at = 0; at < rows.length; at += 1000) {
    const slice = rows.slice(at, at + 1000);
    await db.insertInto('runs').values(slice).execute();
    const fires = slice.flatMap(({ jobId, queuedMs, key: runKey }) =>
      jobId === null
        ? []
        : [{ jobId, dueMs: queuedMs, decidedMs: queuedMs, version: 1, verdict: 'run' as const, runKey }],
    );
    await db.insertInto('fires').values(fires).execute();
    const audit = slice.map(({ queuedMs }) => ({
      atMs: queuedMs,
      who: `user-${queuedMs % 5}`,
      what: 'trigger',
      target: `run ${queuedMs % 500}`,
      detail: 'null',
    }));
    await db.insertInto('audit').values(audit).execute();
  }
  // As autovacuum does: pages that all may see are not looked at again.
  if (analyzes) await sql`VACUUM ANALYZE`.execute(db);
  return { jobs: jobs.map(({ id }) => id) };
}

async function applyJobs(url: string): Promise<void> {
  await using store = await openStore(url, { schema: 'create', onIdleError: assert.ifError });
  const names = Array.from({ length: JOBS }, (_, n) => `job-${String(n).padStart(4, '0')}`);
  for (let project = 0; project < 10; project++) {
    const lines = names
      .filter((_, n) => n % 10 === project)
      .map((name) => `  ${name}: { argv: ["true"], pool: os }\n`);
    const jobs = parseJobs(`project: p${project}\njobs:\n${lines.join('')}`, 'jobs.yaml');
    await store.jobs.apply(jobs, { by: 'ann', nowMs: 0, prune: [], dryRun: false });
  }
}

/** Every combination of the filters that there are. */
function* filtersOf(jobs: readonly JobId[]): Generator<RunFilter> {
  const projects = [undefined, ['p0'], ['p9'], ['p0', 'p4', 'p9']];
  const jobIds = [undefined, jobs[0], jobs[1990]];
  const hostIds = [undefined, 'host-0', 'host-19'] as const;
  const kinds: readonly RunFilter[] = [
    {},
    { outcome: 'succeeded' },
    { outcome: 'failed' },
    { outcome: 'lost' },
    { outcome: 'killed' },
    { outcome: 'failed', state: 'ended' },
    { state: 'ended' },
    { state: 'active' },
    { state: 'queued' },
    { state: 'running' },
  ];
  const cursors = [undefined, Buffer.from(JSON.stringify([NOW_MS / 2, key(0)])).toString('base64url')];
  for (const project of projects)
    for (const jobId of jobIds)
      for (const hostId of hostIds)
        for (const kind of kinds)
          for (const cursor of cursors)
            yield {
              ...(project === undefined ? {} : { projects: project }),
              ...(jobId === undefined ? {} : { jobId }),
              ...(hostId === undefined ? {} : { hostId: hostId as HostId }),
              ...(cursor === undefined ? {} : { cursor }),
              ...kind,
            };
}

function planSuite(
  name: string,
  open: () => Promise<{ readonly listened: Listened; readonly analyzes: boolean }>,
): void {
  suite(name, () => {
    let listened: Listened;
    let jobs: readonly JobId[];
    before(async () => {
      const opened = await open();
      ({ listened } = opened);
      ({ jobs } = await fill(listened.access, opened.analyzes));
    });
    after(() => listened[Symbol.asyncDispose]());

    test('runs, by every combination of filters', async () => {
      const runs = new Runs(listened.access);
      for (const filter of filtersOf(jobs))
        await listened.assertFound(JSON.stringify(filter), () => runs.listQuery(filter).execute());
    });

    test('a run, by its key and by that of an attempt; those that go on', async () => {
      const runs = new Runs(listened.access);
      await listened.assertFound('get', () => runs.get(key(7) as RunKey));
      await listened.assertFound('many', () => runs.many([key(7), key(8)] as RunKey[]));
      await listened.assertFound('attempts', () => runs.formerAttempts(key(7) as RunKey));
      await listened.assertFound('of an attempt', () => runs.keyOfAttempt('nobody' as RunKey));
      await listened.assertFound('active', () => runs.activeQuery().execute());
    });

    test('counts of what ended of late, and retention', async () => {
      const runs = new Runs(listened.access);
      await listened.assertFound('outcomes', () => runs.outcomesSince(NOW_MS - 86_400_000));
      for (const bounds of [
        { beforeMs: 86_400_000, keep: 100_000 },
        { beforeMs: 0, keep: 18_000 },
      ])
        await listened.assertFound('expire', () => runs.expire({ ...bounds, limit: 100 }));
    });

    test('the ledger: of a job, in both orders, of one time, of all of late, and retention', async () => {
      const ledger = new Ledger(listened.access);
      const cursor = Buffer.from(JSON.stringify([NOW_MS / 2])).toString('base64url');
      for (const jobId of [jobs[0], jobs[1990]])
        for (const order of ['asc', 'desc'] as const)
          for (const more of [{}, { cursor }]) {
            const range = { fromMs: 0, untilMs: NOW_MS, order, ...more };
            await listened.assertFound('list', () => ledger.list(jobId as JobId, range));
          }
      await listened.assertFound('get', () => ledger.get(jobs[0] as JobId, 5));
      await listened.assertFound('since', () => ledger.since(NOW_MS - 86_400_000));
      await listened.assertFound('expire', () => ledger.expire(86_400_000, 100));
    });

    test('jobs: page by page, by name, by id', async () => {
      const all = new Jobs(listened.access);
      const cursor = Buffer.from(JSON.stringify(['p4', 'job-0004'])).toString('base64url');
      for (const projects of [null, ['p4']])
        for (const more of [{}, { cursor }, { q: '99' }, { q: '99', cursor }])
          await listened.assertFound('page', () => all.page({ projects, ...more }));
      await listened.assertFound('find', () => all.find('p4', 'job-0004'));
      await listened.assertFound('find', () => all.find('p4', 'nobody'));
      await listened.assertFound('many', () => all.many(jobs.slice(0, 50)));
      await listened.assertFound('history', () => all.history(jobs[0] as JobId));
    });

    test('the audit log, by who and by target', async () => {
      const audit = new Audit(listened.access);
      for (const filter of [{}, { who: 'user-1' }, { target: 'run 7' }, { who: 'user-1', target: 'run 7' }])
        await listened.assertFound(JSON.stringify(filter), () => audit.list(filter));
    });
  });
}

planSuite('SQLite', async () => {
  const file = join(folder, 'sqlite.db');
  await applyJobs(`sqlite:${file}`);
  const engine = sqliteEngine(file, { create: false });
  // Nobody makes statistics for it, so there are none here.
  return {
    listened: new Listened(engine, (text) => `EXPLAIN QUERY PLAN ${text}`, onSqlite),
    analyzes: false,
  };
});

planSuite('PostgreSQL', async () => {
  const url = await postgres.newDatabase();
  await applyJobs(url);
  const engine = postgresEngine(url, assert.ifError);
  // ANALYZE does it: what changes something is done once only.
  const explain = (text: string): string =>
    `EXPLAIN (FORMAT JSON${/^\s*select/i.test(text) ? ', ANALYZE' : ''}) ${text}`;
  return { listened: new Listened(engine, explain, onPostgres), analyzes: true };
});
