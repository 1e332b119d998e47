// Other job queues on this machine: graphile-worker, pg-boss and BullMQ, from add() to the handler, and jobs per second.
// Each with the settings that its documentation calls the best, in turns, with what each row does and does not include:
// a process of its own, its exit code, its log, HTTP. On a PostgreSQL and a Redis of its own that wait for the disk.
//   npm run bench -- peers [--quick] [--rounds N] [--only NAME]
// Redis is not installed with the rest: apt-get install --no-install-recommends redis-server. Without it BullMQ's rows are
// empty. TMPDIR, else /var/tmp, decides on which disk.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { allPeers } from './peers/all.ts';
import type { Found, Scenario } from './peers/peer.ts';
import { describeRedis } from './peers/redis.ts';
import { type Counts, printIncludes, printResults, type Results } from './peers/report.ts';
import { Server } from './peers/server.ts';
import { describeDisk } from './support/disk.ts';
import { describeMachine } from './support/machine.ts';
import { Noise } from './support/noise.ts';

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
const SCENARIOS: readonly Scenario[] = ['latency', 'batch', 'processes'];

/** One turn, in a process of its own, which is reaped here. */
async function measure(scenario: Scenario, name: string, url: string): Promise<Found> {
  process.stderr.write(`${scenario}: ${name} …\n`);
  const program = path.join(import.meta.dirname, 'peers/turn.ts');
  const turn = fork(program, [name, scenario, String(counts[scenario]), url]);
  let found: Found | null = null;
  turn.on('message', (message) => {
    found = message as Found;
  });
  const [code] = await once(turn, 'exit');
  if (found === null) throw new Error(`${scenario} of ${name} ended with ${code}`);
  // It has told why.
  if (code !== 0) process.exitCode = 1;
  return found;
}

function note(scenario: Scenario, found: Found, values: Results): void {
  if ('perSecond' in found) {
    (scenario === 'batch' ? values.jobsPerSecond : values.processesPerSecond).push(found.perSecond);
  } else {
    values.p50Ms.push(found.p50Ms);
    values.p99Ms.push(found.p99Ms);
  }
}

const folder = mkdtempSync(path.join(process.env.TMPDIR ?? '/var/tmp', 'rocksy-bench-'));
// The servers make their folders in os.tmpdir().
process.env.TMPDIR = path.dirname(folder);
await using cleanup = new AsyncDisposableStack();
cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));

const noise = new Noise();
const machine = describeMachine(folder);
const disk = describeDisk(path.join(folder, 'disk'));
const server = cleanup.use(await Server.start());
// Here they only tell what they are.
const peers = allPeers({ newDatabase: () => Promise.reject(new Error('only in a turn')) }).filter(
  ({ name }) => name.includes(options.only),
);
const results: Results[] = peers.map((peer) => ({
  peer,
  missing: peer.missing(),
  ...{ p50Ms: [], p99Ms: [], jobsPerSecond: [], processesPerSecond: [] },
}));

for (let round = 0; round < counts.rounds; round++) {
  for (const scenario of SCENARIOS) {
    noise.sample();
    const measured = results.filter(
      ({ peer, missing }) => missing === null && peer.scenarios.includes(scenario),
    );
    for (const values of measured)
      await server.withDatabase(async (url) => {
        note(scenario, await measure(scenario, values.peer.name, url), values);
      });
  }
}
noise.sample();

for (const line of machine) console.log(line);
console.log(await server.describe());
console.log(describeRedis());
console.log(`disk:  ${disk}`);
console.log(`noise: ${noise}`);
printResults(results, counts);
printIncludes(peers);
