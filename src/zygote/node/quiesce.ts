import { setTimeout as delay } from 'node:timers/promises';
import { requestsUnderWay, type Thread, threads } from '../../posix/index.ts';

/**
 * What is going on besides this thread, by its names; nothing: a fork is safe. A fork takes no other thread along: what one
 * was about to finish would never be finished in the child, and a lock that it holds (malloc's excepted, which glibc's fork
 * looks after) would stay taken. Nor does the child hear of what was finished a moment ago: uv__async_fork() in libuv's
 * src/unix/async.c forgets it. So requests count until they have been answered, also one that sleeps in its thread, such
 * as a slow DNS query.
 */
export function underWay(): string[] {
  return [...busyAmong(threads(process.pid), process.pid), ...requests()];
}

/** Those that have not been answered, by the names that Node has for them. */
export function requests(): string[] {
  const count = requestsUnderWay();
  if (count === 0) return [];
  const named = process.getActiveResourcesInfo().filter((name) => /Req|ConnectWrap$/.test(name));
  return named.length === 0 ? [`${count} of crypto or zlib`] : named;
}

/** Waits until nothing is going on any more, for so long at most. What was put off to the next turn of the loop has it. */
export async function quiet(patienceMs: number): Promise<void> {
  const until = performance.now() + patienceMs;
  do await delay(1);
  while (underWay().length > 0 && performance.now() < until);
}

export function busyAmong(all: readonly Thread[], main: number): string[] {
  return all.filter(({ tid, state }) => tid !== main && state !== 'S').map(({ name }) => name);
}
