// Other job queues on this machine: graphile-worker, pg-boss and BullMQ, from add() to the handler, and jobs per second.
// Each with the settings that its documentation calls the best, in turns, with what each row does and does not include:
// a process of its own, its exit code, its log, HTTP. On a PostgreSQL and a Redis of its own that wait for the disk.
//   npm run bench -- peers [--quick] [--rounds N] [--only NAME]
// Redis is not installed with the rest: apt-get install --no-install-recommends redis-server. Nor is the driver of
// BullMQ: npm install --no-save ioredis. Without them BullMQ's rows are empty. TMPDIR, else /var/tmp, decides on which disk.
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Postgres } from '../src/cloud/store/fixtures/postgres.ts';
import { BullMq } from './peers/bullmq.ts';
import { describePostgres } from './peers/database.ts';
import { GraphileWorker } from './peers/graphile-worker.ts';
import { NoQueue } from './peers/no-queue.ts';
import type { Peer, Scenario, Started } from './peers/peer.ts';
import { PgBoss } from './peers/pg-boss.ts';
import { describeRedis } from './peers/redis.ts';
import { type Counts, printIncludes, printResults, type Results } from './peers/report.ts';
import { RocksyProcesses, RocksySimulated } from './peers/rocksy.ts';
import { describeDisk } from './support/disk.ts';
import { describeMachine } from './support/machine.ts';
import { Noise } from './support/noise.ts';
import { quantile } from './support/statistics.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string', default: '' },
  },
});
const counts: Counts = options.quick
  ? { latency: 100, batch: 2000, processes: 200, rounds: Number(options.rounds ?? 2) }
  : { latency: 300, batch: 10_000, processes: 1000, rounds: Number(options.rounds ?? 5) };
/** Jobs before each measurement, which load code and fill pools. */
const WARM_UP: Readonly<Record<Scenario, number>> = { latency: 20, batch: 500, processes: 20 };
/** Between two jobs that come one at a time: long enough for the one before to be over. */
const PAUSE_MS = 5;
const SCENARIOS: readonly Scenario[] = ['latency', 'batch', 'processes'];

async function measure(scenario: Scenario, { peer, ...values }: Results): Promise<void> {
  process.stderr.write(`${scenario}: ${peer.name} …\n`);
  await using started = await peer.start(scenario);
  if (scenario === 'latency') {
    await firstLines(started, WARM_UP.latency);
    const times = await firstLines(started, counts.latency);
    values.p50Ms.push(quantile(times, 0.5));
    values.p99Ms.push(quantile(times, 0.99));
  } else {
    await rate(started, WARM_UP[scenario]);
    const rates = scenario === 'batch' ? values.jobsPerSecond : values.processesPerSecond;
    rates.push(await rate(started, counts[scenario]));
  }
}

async function firstLines(started: Started, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let job = 0; job < count; job++) {
    times.push(await started.one());
    await wait(PAUSE_MS);
  }
  return times;
}

async function rate(started: Started, count: number): Promise<number> {
  const begun = performance.now();
  await started.many(count);
  return (1000 * count) / (performance.now() - begun);
}

const folder = mkdtempSync(path.join(process.env.TMPDIR ?? '/var/tmp', 'rocksy-bench-'));
// The servers make their folders in os.tmpdir().
process.env.TMPDIR = path.dirname(folder);
await using cleanup = new AsyncDisposableStack();
cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));

const noise = new Noise();
const machine = describeMachine(folder);
const disk = describeDisk(path.join(folder, 'disk'));
const postgres = cleanup.use(await Postgres.start({ isDurable: true }));
const peers: Peer[] = [
  new RocksySimulated(postgres),
  new RocksyProcesses(postgres),
  new GraphileWorker(postgres),
  new PgBoss(postgres),
  new BullMq('everysec'),
  new BullMq('always'),
  new NoQueue(),
].filter(({ name }) => name.includes(options.only));
const results: Results[] = peers.map((peer) => ({
  peer,
  missing: peer.missing(),
  ...{ p50Ms: [], p99Ms: [], jobsPerSecond: [], processesPerSecond: [] },
}));

for (let round = 0; round < counts.rounds; round++) {
  for (const scenario of SCENARIOS) {
    noise.sample();
    for (const one of results)
      if (one.missing === null && one.peer.scenarios.includes(scenario)) await measure(scenario, one);
  }
}
noise.sample();

for (const line of machine) console.log(line);
console.log(await describePostgres(postgres));
console.log(describeRedis());
console.log(`disk:  ${disk}`);
console.log(`noise: ${noise}`);
printResults(results, counts);
printIncludes(peers);
