import { children, peekZombie, wait4 } from '../../../posix/index.ts';
import { after, type Reports, type System, signal } from '../../serving/index.ts';
import type { Parking } from '../parking.ts';
import type { JobStart } from '../request.ts';
import type { Starter } from './starter.ts';

/** The real operating system, where a run goes to a process that waits for one, and else to one that is started for it. */
export function startedSystem(starter: Starter, parking: Parking, reports: Reports): System<JobStart> {
  return {
    spawn: (start, born) => born(parking.give(start) ?? started(starter, start)),
    signal,
    reap: () => {
      for (;;) {
        const pid = peekZombie();
        const end = pid === null ? null : wait4(pid, 'nohang');
        if (end === null || !(parking.reaped(end.pid) || starter.reaped(end))) return end;
      }
    },
    children: () => children(process.pid).filter((pid) => !parking.has(pid) && !starter.isLoading(pid)),
    readReports: () => reports.read(),
    noteExit: () => {}, // the child has done so itself, as its last act
    nowMs: () => performance.now(),
    after,
  };
}

function started(starter: Starter, start: JobStart): number | Error {
  try {
    return starter.run(start);
  } catch (error) {
    return error as Error;
  }
}
