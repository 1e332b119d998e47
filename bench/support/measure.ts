import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Way } from '../ways/way.ts';
import { difference, privateBytes } from './usage.ts';

/** Milliseconds from the request to the first line of run(), for each of `count` runs, one after the other. */
export async function firstLines(way: Way, count: number, pauseMs: number): Promise<number[]> {
  const stamps = path.join(way.folder, 'stamps');
  rmSync(stamps, { force: true });
  const asked: bigint[] = [];
  for (let i = 0; i < count; i++) {
    if (pauseMs > 0) await wait(pauseMs);
    asked.push(process.hrtime.bigint());
    await way.run('FirstLine', { stamps });
  }
  const begun = readFileSync(stamps, 'utf8').trimEnd().split('\n').map(BigInt);
  if (begun.length !== count) throw new Error(`${way.name}: ${begun.length} of ${count} runs have begun`);
  return asked.map((at, i) => Number((begun[i] ?? at) - at) / 1e6);
}

export interface Rate {
  readonly perSecond: number;
  readonly cpuMs: number;
  readonly faults: number;
}

/** Runs of the empty class to their known outcome, so many at the same time, for some seconds. */
export async function rate(way: Way, inFlight: number, seconds: number): Promise<Rate> {
  let count = 0;
  const before = way.usage();
  const begin = performance.now();
  const lane = async (): Promise<void> => {
    while (performance.now() - begin < seconds * 1000) {
      await way.run('Nothing', {});
      count++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  const took = (performance.now() - begin) / 1000;
  const { cpuMs, faults } = difference(way.usage(), before);
  return { perSecond: count / took, cpuMs: cpuMs / count, faults: faults / count };
}

/** What a run in progress keeps for itself. */
export async function privateBytesOfRun(way: Way): Promise<number> {
  const stamps = path.join(way.folder, 'stamps');
  rmSync(stamps, { force: true });
  const running = way.run('Hold', { stamps });
  const pid = (): number => (existsSync(stamps) ? Number(readFileSync(stamps, 'utf8')) : 0);
  while (pid() === 0) await wait(5);
  const bytes = privateBytes(pid());
  await running;
  return bytes;
}
