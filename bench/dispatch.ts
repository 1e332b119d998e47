// Dispatch: from an API call to the first line of a run, a batch of 10,000 runs over 100 hosts, 100,000 schedules, and 10,000
// jobs that are due at one instant. On SQLite and PostgreSQL. Aims: p50 <= 5 ms and p99 <= 20 ms; >= 3,000 runs/s
// (PostgreSQL); lateness p99 <= 100 ms and <= 300 MB; all within 5 s, nobody else late by more than 1 s.
//   npm run bench -- dispatch [--only latency|batch|schedules|instant] [--store sqlite|postgres] [--quick]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { preciseClock } from '../examples/symfony/demo/timing.ts';
import type { CloudClient } from '../src/client/index.ts';
import { parseJobs } from '../src/cloud/jobs/index.ts';
import { Postgres } from '../src/cloud/store/fixtures/postgres.ts';
import { openStore } from '../src/cloud/store/index.ts';
import { TestCloud } from '../test/support/cloud.ts';
import { Simulated } from './dispatch/server.ts';
import { Ends } from './support/ends.ts';
import { describeMachine } from './support/machine.ts';
import { Noise } from './support/noise.ts';
import { median, quantile } from './support/statistics.ts';
import { printTable } from './support/table.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    store: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
});
const ROOT = join(import.meta.dirname, '..');
const KINDS = ['sqlite', 'postgres'] as const;
type StoreKind = (typeof KINDS)[number];
const STORES = KINDS.filter((kind) => values.store === undefined || values.store === kind);

const folder = mkdtempSync(join(tmpdir(), 'rocksy-dispatch-'));
const noise = new Noise();
const wanted = (section: string) => values.only === undefined || values.only === section;

for (const line of describeMachine(folder)) console.log(line);
await using postgres = await Postgres.start({ isDurable: true });
let count = 0;
const newStore = async (kind: StoreKind) =>
  kind === 'sqlite' ? `sqlite:${join(folder, `store-${count++}.db`)}` : await postgres.newDatabase();

try {
  noise.sample();
  if (wanted('latency')) await latency();
  if (wanted('batch')) await batch();
  if (wanted('schedules')) await schedules();
  if (wanted('instant')) await instant();
  noise.sample();
  console.log(`\nNoise: ${noise}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** The real thing: server, rocksyd, a warm PHP pool, each run a process of its own. One at a time, some milliseconds apart. */
async function latency(): Promise<void> {
  const runs = values.quick ? 50 : 500;
  const rows = [];
  for (const kind of STORES) {
    const url = await newStore(kind);
    await using cloud = await TestCloud.start({
      more: `store: ${JSON.stringify(url)}\nlimits: { requests_per_minute: 1000000 }`,
    });
    const bootstrap = join(ROOT, 'examples/symfony/bootstrap.php');
    await cloud.host({
      pools: `  web: { runtime: php, {user}, bootstrap: ${bootstrap}, prefork: 4, env: { SHOP_CACHE: ./scratch } }`,
    });
    using ends = new Ends(cloud.client);
    const clock = preciseClock();
    const first: number[] = [];
    const answered: number[] = [];
    for (let i = -20; i < runs; i++) {
      const asked = clock();
      const { key } = await cloud.client.call('createRun', {
        body: { pool: 'web', class: 'Shop\\Job\\FirstLine' },
      });
      const at = clock();
      await ends.of(key);
      const { run } = await cloud.client.call('getRun', { params: { key } });
      const result = run.result as { readonly first_line_ms: number };
      if (i < 0) continue;
      first.push(result.first_line_ms - asked);
      answered.push(at - asked);
      await wait(5);
    }
    rows.push([kind, median(first), quantile(first, 0.99), Math.max(...first), median(answered)]);
  }
  printTable(
    'From the API call to the first line of run(), ms (HTTP over a Unix socket, one at a time)',
    ['store', 'p50', 'p99', 'max', 'answer p50'],
    rows,
  );
}

/** 10,000 runs in calls of 1,000, over 100 hosts that begin and end at once: from the first call to the last outcome. */
async function batch(): Promise<void> {
  const runs = values.quick ? 2_000 : 10_000;
  const rows = [];
  for (const kind of STORES) {
    const rates: number[] = [];
    for (let round = 0; round < (values.quick ? 1 : 3); round++) {
      await using server = await Simulated.start(await newStore(kind), 100, folder);
      await submit(server.client, 500);
      await server.idle(500);
      const begun = performance.now();
      await submit(server.client, runs);
      await server.idle(500 + runs);
      rates.push(runs / ((performance.now() - begun) / 1000));
    }
    rows.push([kind, median(rates), Math.min(...rates), Math.max(...rates)]);
  }
  printTable(
    `${runs} runs through the API over 100 simulated hosts, runs/s from the first call to the last outcome in the store`,
    ['store', 'median', 'least', 'most'],
    rows,
  );
}

async function submit(client: CloudClient, runs: number): Promise<void> {
  const calls = [];
  for (let made = 0; made < runs; made += 1000) {
    const batchOf = Array.from({ length: Math.min(1000, runs - made) }, () => ({
      pool: 'os',
      argv: ['true'],
    }));
    calls.push(client.call('createRuns', { body: { runs: batchOf } }));
  }
  await Promise.all(calls);
}

/** Daily schedules, one each 0.864 s on average, for a while; lateness from due to the host being asked. */
async function schedules(): Promise<void> {
  const jobs = values.quick ? 10_000 : 100_000;
  const seconds = values.quick ? 30 : 180;
  const rows = [];
  for (const kind of STORES) {
    const url = await newStore(kind);
    const lines = Array.from({ length: jobs }, (_, i) => {
      const at = Math.floor((i * 86_400) / jobs);
      return `  j${i}: { argv: ["true"], pool: os, schedule: "${at % 60} ${Math.floor(at / 60) % 60} ${Math.floor(at / 3600)} * * *" }`;
    });
    await applyDirectly(url, `project: p\njobs:\n${lines.join('\n')}\n`);
    const begun = performance.now();
    await using server = await Simulated.start(url, 10, folder);
    const startMs = performance.now() - begun;
    await server.counts();
    await wait(seconds * 1000);
    const { lateness, rss } = await server.counts();
    rows.push([
      kind,
      lateness.length,
      median(lateness),
      quantile(lateness, 0.99),
      Math.max(...lateness),
      rss / 1e6,
      startMs / 1000,
    ]);
  }
  printTable(
    `${jobs} daily schedules spread over the day, watched for ${seconds} s`,
    ['store', 'fires', 'late p50 ms', 'p99', 'max', 'memory MB', 'start s'],
    rows,
  );
}

/** Jobs that are all due in one second, and one that is due each second besides. */
async function instant(): Promise<void> {
  const jobs = values.quick ? 1_000 : 10_000;
  const rows = [];
  for (const kind of STORES) {
    const url = await newStore(kind);
    const dueMs = Math.ceil(Date.now() / 1000) * 1000 + (kind === 'postgres' ? 60_000 : 45_000);
    const due = new Date(dueMs).toISOString();
    const lines = Array.from(
      { length: jobs },
      (_, i) => `  j${i}: { argv: ["true"], pool: os, schedule: { at: "${due.slice(0, 19)}Z" } }`,
    );
    lines.push('  other: { argv: ["true"], pool: os, schedule: { every: 1s }, overlap: allow }');
    await applyDirectly(url, `project: p\njobs:\n${lines.join('\n')}\n`);
    if (Date.now() > dueMs - 5_000) throw new Error('applying the jobs took too long: their time has passed');
    await using server = await Simulated.start(url, 100, folder);
    await wait(dueMs - Date.now() - 500);
    await server.counts();
    await wait(12_000);
    const { lateness } = await server.counts();
    const last = lateness.toSorted((a, b) => a - b);
    const others = await othersLateness(server.client, dueMs);
    rows.push([kind, last.length, median(last), (last.at(-1) ?? Number.NaN) / 1000, Math.max(...others)]);
  }
  printTable(
    `${jobs} jobs due at one instant, over 100 simulated hosts`,
    ['store', 'fires', 'late p50 ms', 'last one s', 'others decided late by ms, at most'],
    rows,
  );
}

/** By how much the job of every second was decided later than due, around that time. */
async function othersLateness(client: CloudClient, dueMs: number): Promise<number[]> {
  const query = { from_ms: dueMs - 2_000, to_ms: dueMs + 10_000, order: 'asc', limit: 100 } as const;
  const { items } = await client.call('ledger', { params: { project: 'p', name: 'other' }, query });
  return items.map(({ due_ms: due, decided_ms: decided }) => decided - due);
}

async function applyDirectly(url: string, text: string): Promise<void> {
  await using store = await openStore(url, { schema: 'create', onIdleError: console.error });
  await store.jobs.apply(parseJobs(text, 'bench.yaml'), {
    by: 'bench',
    nowMs: Date.now(),
    prune: [],
    dryRun: false,
  });
}
