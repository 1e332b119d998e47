import { setTimeout as delay } from 'node:timers/promises';
import { type Thread, threads } from '../../posix/index.ts';

/**
 * The threads that are at work at this moment. A fork takes none of them along: what one of them was about to finish
 * would never be finished in the child, and a lock that it holds (malloc's excepted, which glibc's fork looks after) would
 * stay taken. A request that sleeps in the threadpool, such as a slow DNS query, can't be told from one that is idle.
 */
export function busyThreads(): string[] {
  return busyAmong(threads(process.pid), process.pid);
}

/** What is to call back later: it would do so in the zygote, and once more in every child or never there. */
export function requests(): string[] {
  return process.getActiveResourcesInfo().filter((name) => /Req|ConnectWrap$/.test(name));
}

/** Waits until nobody is at work any more, for so long at most. What was put off to the next turn of the loop has it. */
export async function quiet(patienceMs: number): Promise<void> {
  const until = performance.now() + patienceMs;
  do await delay(1);
  while (busyThreads().length + requests().length > 0 && performance.now() < until);
}

export function busyAmong(all: readonly Thread[], main: number): string[] {
  return all.filter(({ tid, state }) => tid !== main && state !== 'S').map(({ name }) => name);
}
