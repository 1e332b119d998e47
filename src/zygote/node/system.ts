import { children, peekZombie, processStat, wait4 } from '../../posix/index.ts';
import { after, type Reports, type System, signal } from '../serving/index.ts';
import type { Child } from './child.ts';
import type { Forker } from './fork.ts';
import type { Parking } from './parking.ts';
import type { JobStart } from './request.ts';

/**
 * The real operating system, where a run goes to a parked child if there is one, and else to one that is forked for it.
 * @param helpers processes that the bootstrap has started: they are Node's to reap, and stay
 */
export function nodeSystem(
  child: Child,
  forker: Forker,
  parking: Parking,
  reports: Reports,
  helpers: ReadonlySet<number>,
): System<JobStart> {
  const isOurs = (pid: number): boolean => !helpers.has(pid);
  return {
    spawn: (start, born) => {
      const parked = parking.give(start);
      if (parked !== null) born(parked);
      else forker.request('run', { inChild: () => child.run(start), born });
    },
    signal,
    reap: () => {
      for (;;) {
        const pid = nextZombie(isOurs);
        const end = pid === null ? null : wait4(pid, 'nohang');
        if (end === null || !parking.reaped(end.pid)) return end;
      }
    },
    children: () => children(process.pid).filter((pid) => isOurs(pid) && !parking.has(pid)),
    readReports: () => reports.read(),
    noteExit: () => {}, // the child has done so itself, as its last act
    nowMs: () => performance.now(),
    after,
  };
}

/** Never one of the bootstrap's: that would be taken away from child_process, which waits for its own pids only. */
function nextZombie(isOurs: (pid: number) => boolean): number | null {
  const first = peekZombie();
  if (first === null || isOurs(first)) return first;
  return children(process.pid).find((pid) => isOurs(pid) && processStat(pid)?.state === 'Z') ?? null;
}
