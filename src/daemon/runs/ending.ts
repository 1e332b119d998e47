import fs from 'node:fs';
import { children, pidfdOpen, pidfdSendSignal, processStat } from '../../posix/index.ts';

const SIGKILL = 9;

/** The process of a claim, by the pid and start time that stand in it. Pids repeat; the pair does not. */
export interface ProcessName {
  readonly pid: number;
  readonly startTime: number;
}

/** Whether this very process still runs. A zombie does not: it has ended, somebody will reap it. */
export function isAlive(name: ProcessName): boolean {
  const stat = processStat(name.pid);
  return stat !== null && stat.startTime === name.startTime && stat.state !== 'Z';
}

/**
 * Signals a process that is not our child: through a pidfd, and only if it is the very one. False when it is gone.
 */
export function signalProcess(name: ProcessName, signal: number): boolean {
  let pidfd: number;
  try {
    pidfd = pidfdOpen(name.pid);
  } catch {
    // ESRCH: it has ended. Nothing else can befall a valid pid.
    return false;
  }
  try {
    // The pidfd stays with the process it was opened on: if that is the one now, it is the one that gets the signal.
    return isAlive(name) && pidfdSendSignal(pidfd, signal);
  } finally {
    fs.closeSync(pidfd);
  }
}

/**
 * Kills what a run left behind whose zygote is dead: such orphans have become children of the keeper. Ours are told by
 * the pool's `runs` folder in their environment, which they have from the zygote or from the run itself.
 * @param keep processes that are no leftovers: zygotes, and main processes of runs that still go on
 */
export function killLeftovers(keeperPid: number, runsFolder: string, keep: ReadonlySet<number>): number {
  let killed = 0;
  for (const pid of children(keeperPid)) {
    if (keep.has(pid) || !environmentMentions(pid, runsFolder)) continue;
    const stat = processStat(pid);
    if (stat !== null && stat.state !== 'Z' && signalProcess({ pid, startTime: stat.startTime }, SIGKILL)) killed++;
  }
  return killed;
}

function environmentMentions(pid: number, text: string): boolean {
  try {
    return fs.readFileSync(`/proc/${pid}/environ`).includes(text);
  } catch {
    // It has ended meanwhile, or is not ours to look into: not a leftover of a run.
    return false;
  }
}
