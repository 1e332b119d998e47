// A program: measures one peer once, sends what it found, and ends. Started by bench/peers.ts, because a process that
// has measured others has a larger heap, and spawn() takes longer the more memory a process has.
//   node turn.ts PEER SCENARIO COUNT DATABASE_URL
import { setTimeout as wait } from 'node:timers/promises';
import { quantile } from '../support/statistics.ts';
import { allPeers } from './all.ts';
import type { Found, Peer, Scenario, Started } from './peer.ts';

/** Jobs before the measurement, which load code and fill pools. */
const WARM_UP: Readonly<Record<Scenario, number>> = { latency: 50, batch: 2000, processes: 50 };
/** Between two jobs that come one at a time: long enough for the one before to be over. */
const PAUSE_MS = 5;

const [name = '', scenario = '', count = '0', url = ''] = process.argv.slice(2);
const peer = allPeers({ newDatabase: () => Promise.resolve(url) }).find((one) => one.name === name);
if (peer === undefined) throw new Error(`there is no peer '${name}'`);
process.send?.(await measure(peer, scenario as Scenario, Number(count)));
process.disconnect();

async function measure(one: Peer, what: Scenario, jobs: number): Promise<Found> {
  await using started = await one.start(what);
  if (what === 'latency') {
    await firstLines(started, WARM_UP.latency);
    const times = await firstLines(started, jobs);
    return { p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99) };
  }
  await rate(started, WARM_UP[what]);
  return { perSecond: await rate(started, jobs) };
}

async function firstLines(started: Started, jobs: number): Promise<number[]> {
  const times: number[] = [];
  for (let job = 0; job < jobs; job++) {
    times.push(await started.one());
    await wait(PAUSE_MS);
  }
  return times;
}

async function rate(started: Started, jobs: number): Promise<number> {
  const begun = performance.now();
  await started.many(jobs);
  return (1000 * jobs) / (performance.now() - begun);
}
