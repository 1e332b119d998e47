// How long the API takes to say why a job ran or did not, on SQLite with 1,000,000 finished runs and 100,000 that wait.
// A real server, asked over HTTP, for times all over 90 days of 300 jobs, most of them of those that run most; one host is
// connected that has no pool for what waits. Aim: <= 100 ms.
//   npm run bench -- why [--runs N] [--rounds N]      TMPDIR, else /var/tmp, decides on which disk
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import { parseJobs } from '../src/cloud/jobs/index.ts';
import { openStore } from '../src/cloud/store/index.ts';
import { TestCloud } from '../test/support/cloud.ts';
import { JOBS, projectOf } from './store/contents.ts';
import { type Filled, fillSqlite, nameOf } from './store/fill.ts';
import { describeMachine } from './support/machine.ts';
import { Noise } from './support/noise.ts';
import { Site } from './support/site.ts';
import { median, quantile } from './support/statistics.ts';
import { printTable } from './support/table.ts';

const { values: options } = parseArgs({
  options: { runs: { type: 'string', default: '1000000' }, rounds: { type: 'string', default: '200' } },
});
const RUNS = Number(options.runs);
const ROUNDS = Number(options.rounds);
const LIMIT_MS = 100;
/** By turns of the jobs: often, rarely, hardly ever, and in a zone with a summer time. */
const SCHEDULES = [
  '"*/15 * * * *"',
  '"0 3 1 * *"',
  '"30 2 29 2 *"',
  '{ cron: "30 2 * * 1-5", timezone: Europe/Berlin }',
  '{ every: 10m }',
];

/** A job, and a time to ask for; null: none. */
interface Question {
  readonly job: number;
  readonly atMs: number | null;
}

interface Kind {
  readonly name: string;
  readonly questions: readonly Question[];
  /** What one of the sentences of each answer says. */
  readonly says: RegExp;
}

/** Since the first of their runs the jobs have a schedule. */
async function schedule({ url, firstMs }: Filled): Promise<void> {
  await using store = await openStore(url, { schema: 'check', onIdleError: console.error });
  const definitions = Array.from({ length: JOBS }, (_, job) => {
    const when = SCHEDULES[job % SCHEDULES.length];
    const line = `  ${nameOf(job)}: { class: 'App\\Job\\Report', pool: web, schedule: ${when} }\n`;
    return parseJobs(`project: ${projectOf(job)}\njobs:\n${line}`, 'jobs.yaml');
  });
  await store.jobs.apply(definitions.flat(), { by: 'bench', nowMs: firstMs, prune: [], dryRun: false });
}

/** What waits was due as well, of what has run nobody is at work, and each sixteenth fire was skipped. */
function adapt(database: DatabaseSync): void {
  database.exec(`
    PRAGMA synchronous = OFF;
    BEGIN;
    DELETE FROM runs WHERE state = 'running';
    UPDATE fires SET verdict = 'skipped', reason = 'overlap', run_key = NULL WHERE run_key LIKE '0%';
    INSERT INTO fires (job_id, due_ms, decided_ms, version, verdict, run_key)
      SELECT job_id, queued_ms, queued_ms, 2, 'run', key FROM runs WHERE state = 'queued';
    COMMIT;
    PRAGMA wal_checkpoint(TRUNCATE)`);
}

/** Fires by chance: a job that has many is asked for often. */
function questionsOf(database: DatabaseSync, { jobs }: Filled, where: string): Question[] {
  const rows = database
    .prepare(
      'SELECT fires.job_id AS id, fires.due_ms AS at FROM fires LEFT JOIN runs ON runs.key = fires.run_key ' +
        `WHERE ${where} ORDER BY random() LIMIT ?`,
    )
    .all(ROUNDS) as { id: string; at: number }[];
  if (rows.length === 0) throw new Error(`the store has no fire where ${where}`);
  return rows.map(({ id, at }) => ({ job: jobs.indexOf(id), atMs: at }));
}

function kindsOf(database: DatabaseSync, filled: Filled): Kind[] {
  const ran = questionsOf(database, filled, "runs.state = 'ended'");
  return [
    { name: 'a fire that ran', questions: ran, says: /became the run/ },
    {
      name: 'a fire whose run waits',
      questions: questionsOf(database, filled, "runs.state = 'queued'"),
      says: /It waits since/,
    },
    {
      name: 'a fire that was skipped',
      questions: questionsOf(database, filled, "fires.verdict = 'skipped'"),
      says: /It was skipped/,
    },
    {
      name: 'a time at which it was not due',
      questions: ran.map(({ job, atMs }) => ({ job, atMs: (atMs ?? 0) + 1 })),
      says: /was not due at/,
    },
    { name: 'no time', questions: ran.map(({ job }) => ({ job, atMs: null })), says: /It was due last/ },
  ];
}

async function timesOf({ client }: TestCloud, { name, questions, says }: Kind): Promise<number[]> {
  const times: number[] = [];
  for (const { job, atMs } of questions) {
    const params = { project: projectOf(job), name: nameOf(job) };
    const begin = performance.now();
    const { text } = await client.call('why', { params, query: atMs === null ? {} : { at_ms: atMs } });
    times.push(performance.now() - begin);
    if (!text.some((line) => says.test(line))) throw new Error(`${name}: ${text.join(' ')}`);
  }
  return times;
}

await using site = new Site();
const machine = describeMachine(site.folder);
const noise = new Noise();
noise.sample();
const file = path.join(site.forUs(), 'store.db');
const filled = await fillSqlite(file, RUNS);
await schedule(filled);
const kinds = (() => {
  using database = new DatabaseSync(file);
  adapt(database);
  return kindsOf(database, filled);
})();
await using cloud = await TestCloud.start({
  program: site.command,
  more: `store: ${filled.url}\nlimits: { requests_per_minute: 1000000 }`,
});
await cloud.host({ program: site.program });
const results: (readonly [string, number[]])[] = [];
for (const kind of kinds) results.push([kind.name, await timesOf(cloud, kind)]);
noise.sample();
for (const line of machine) console.log(line);
printTable(
  `why, on SQLite with ${RUNS} finished runs; ${ROUNDS} times each, one after the other; ms`,
  ['asked for', 'first', 'p50', 'p99', 'worst', `<= ${LIMIT_MS}`],
  results.map(([name, times]) => [
    name,
    times[0] ?? null,
    median(times),
    quantile(times, 0.99),
    Math.max(...times),
    Math.max(...times) <= LIMIT_MS ? 'yes' : 'NO',
  ]),
);
console.log(`\nNoise: ${noise}`);
if (results.some(([, times]) => Math.max(...times) > LIMIT_MS)) process.exitCode = 1;
