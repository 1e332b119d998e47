// What a daemon with much to remember and many clients weighs: 10,000 open connections, 100,000 ended runs.
// Prints the worker's memory step by step, and how long `status` of any of the runs takes meanwhile.
//   npm run bench -- scale [--quick]      a tenth of everything; TMPDIR, else /var/tmp, decides on which disk
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Client } from '../src/client/index.ts';
import { Journal } from '../src/daemon/journal/index.ts';
import type { Run } from '../src/daemon/runs/index.ts';
import { raiseDescriptorLimit } from '../src/posix/index.ts';
import { fileOfKey, type RunKey } from '../src/wire/index.ts';
import { TestDaemon } from '../test/support/daemon.ts';
import { describeMachine } from './support/machine.ts';
import { Site } from './support/site.ts';
import { quantile } from './support/statistics.ts';
import { printTable } from './support/table.ts';
import { residentBytes } from './support/usage.ts';

const { values: options } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });
const scale = options.quick ? 0.1 : 1;
const RUNS = 100_000 * scale;
const CONNECTIONS = 10_000 * scale;
const HELPERS = 2;
const REQUESTS = 20_000 * scale;
const OPENER = path.join(import.meta.dirname, 'support/connections.ts');
const MIB = 2 ** 20;
/** So many runs are handed to the journal at once. */
const BATCH = 10_000;

function endedRun(number: number): Run {
  const key = `bench-${number}` as RunKey;
  const now = Date.now();
  const spec = {
    class: 'App\\Job\\SendReport',
    params: [number, { customer: 'ACME', month: '2026-01' }],
    timeout_ms: 60_000,
    kill_after_ms: 5000,
  };
  return {
    identity: {
      key,
      file: fileOfKey(key),
      pool: 'os',
      job: 'report',
      origin: 'local',
      spec,
      queuedMs: now - 1000,
    },
    phase: {
      state: 'ended',
      generation: 1,
      pid: 4711,
      startedMs: now - 999,
      outcome: {
        name: 'succeeded',
        code: 0,
        signal: null,
        error: null,
        result: { sent: number },
        endedMs: now,
        usage: { cpuUserMs: 1.25, cpuSystemMs: 0.5, maxRssBytes: 33_554_432 },
      },
      progress: { percent: 100, text: 'all sent' },
    },
  };
}

async function fill(state: string): Promise<void> {
  await using journal = await Journal.open({ dir: state, log: (_level, message) => console.error(message) });
  for (let first = 0; first < RUNS; first += BATCH) {
    const count = Math.min(BATCH, RUNS - first);
    await Promise.all(Array.from({ length: count }, (_, i) => journal.accept(endedRun(first + i))));
  }
}

async function openConnections(socket: string): Promise<ChildProcess[]> {
  const openers = Array.from({ length: HELPERS }, () =>
    spawn(process.execPath, [OPENER, socket, String(CONNECTIONS / HELPERS)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    }),
  );
  await Promise.all(
    openers.map(async (opener) => {
      const [what] = await Promise.race([once(opener.stdout, 'data'), once(opener, 'exit')]);
      if (!Buffer.isBuffer(what)) throw new Error('the connections could not be opened (ulimit -n?)');
    }),
  );
  return openers;
}

/** Milliseconds that each `status` takes, of runs all over the journal. */
async function statusTimes(client: Client, inFlight: number): Promise<number[]> {
  const times: number[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < REQUESTS) {
      const number = (next++ * 7919) % RUNS;
      const asked = performance.now();
      const { outcome } = await client.status(`bench-${number}`);
      times.push(performance.now() - asked);
      if (outcome !== 'succeeded') throw new Error(`bench-${number}: ${outcome}`);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return times;
}

raiseDescriptorLimit(CONNECTIONS + 2000);
await using site = new Site();
const machine = describeMachine(site.folder);
await using daemon = await TestDaemon.start({
  pools: '  os: { runtime: command, {user} }',
  more: 'log: { level: warn }\n',
  program: site.program,
});
const memory: [string, number][] = [];
const weigh = async (what: string): Promise<void> => {
  await wait(1000);
  memory.push([what, residentBytes(await daemon.workerPid()) / MIB]);
};

await weigh('empty');
await daemon.stop();
await fill(daemon.state);
await daemon.start();
await daemon.settled();
await weigh(`started with ${RUNS} ended runs in the journal`);
const client = await daemon.connect();
await statusTimes(client, 1); // warms code and caches
await weigh(`after ${REQUESTS} status requests`);
const alone = await statusTimes(client, 1);
const openers = await openConnections(daemon.socket);
const { connections } = await client.stats();
await weigh(`with ${connections} connections`);
const one = await statusTimes(client, 1);
const many = await statusTimes(client, 32);
await weigh('after as many status requests again, twice');
for (const opener of openers) opener.stdin?.end();

for (const line of machine) console.log(line);
printTable(
  'Resident memory of the worker (wanted: below 150 MiB)',
  ['', 'MiB'],
  memory.map(([what, mib]) => [what, mib]),
);
printTable(
  `status of ${REQUESTS} runs all over the journal, ms (wanted: p99 below 5 ms)`,
  ['', 'p50', 'p99', 'longest'],
  (
    [
      ['one at a time, nobody else connected', alone],
      [`one at a time, ${connections} connections`, one],
      [`32 in flight, ${connections} connections`, many],
    ] as const
  ).map(([what, times]) => [what, quantile(times, 0.5), quantile(times, 0.99), quantile(times, 1)]),
);
