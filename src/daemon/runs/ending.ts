import fs from 'node:fs';
import { children, pidfdOpen, pidfdSendSignal, processStat } from '../../posix/index.ts';

const SIGKILL = 9;

/** A process by pid and start time. Pids repeat; the pair does not. */
export interface ProcessName {
  readonly pid: number;
  readonly startTime: number;
}

/** The process that a claim names. The pool's user could have written any pid there: only a process of his counts. */
export interface ClaimedProcess extends ProcessName {
  readonly uid: number;
}

/** Whether this very process still runs. A zombie does not: it has ended, somebody will reap it. */
export function isAlive(name: ProcessName): boolean {
  const stat = processStat(name.pid);
  return stat !== null && stat.startTime === name.startTime && stat.state !== 'Z';
}

/**
 * Signals a process that is not our child: through a pidfd, and only if it is the very one. False when it is gone.
 */
export function signalProcess(name: ClaimedProcess, signal: number): boolean {
  let pidfd: number;
  try {
    pidfd = pidfdOpen(name.pid);
  } catch {
    // ESRCH: it has ended. Nothing else can befall a valid pid.
    return false;
  }
  try {
    // The pidfd stays with the process it was opened on: if that is the one now, it is the one that gets the signal.
    return isAlive(name) && ownerOf(name.pid) === name.uid && pidfdSendSignal(pidfd, signal);
  } finally {
    fs.closeSync(pidfd);
  }
}

/** The user that a process runs as, or null when it is gone: /proc/PID belongs to its effective uid, proc(5). */
function ownerOf(pid: number): number | null {
  return fs.statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid ?? null;
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
    const uid = ownerOf(pid);
    if (stat === null || stat.state === 'Z' || uid === null) continue;
    if (signalProcess({ pid, startTime: stat.startTime, uid }, SIGKILL)) killed++;
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
