// One process, told from every other that has had or will have its pid.
import fs from 'node:fs';
import { isPosixError } from './libc.ts';
import { processStat } from './proc.ts';
import { pidfdOpen, pidfdSendSignal } from './process.ts';

/** A process by pid and start time. Pids repeat within minutes; the pair does not, until the machine restarts. */
export interface ProcessName {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat. */
  readonly startTime: number;
}

/** The name of a process that runs; null when there is none. */
export function nameOf(pid: number): ProcessName | null {
  const stat = processStat(pid);
  return stat === null ? null : { pid, startTime: stat.startTime };
}

/** Whether this very process still runs. A zombie does not: it has ended, somebody will reap it. */
export function isAlive(name: ProcessName): boolean {
  const stat = processStat(name.pid);
  return stat !== null && stat.startTime === name.startTime && stat.state !== 'Z';
}

/** The effective user of a process: /proc/PID belongs to it, proc(5). Null when it is gone. */
export function ownerOf(pid: number): number | null {
  return fs.statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid ?? null;
}

/**
 * Signals a process that need not be our child. False when it is gone, or is not `uid`'s.
 * The pidfd stays with the process that it was opened on: what is checked after is what gets the signal.
 */
export function signalProcess(name: ProcessName, signal: number, uid?: number): boolean {
  let pidfd: number;
  try {
    pidfd = pidfdOpen(name.pid);
  } catch (error) {
    if (isPosixError(error, 'ESRCH')) return false;
    throw error;
  }
  try {
    if (!isAlive(name) || (uid !== undefined && ownerOf(name.pid) !== uid)) return false;
    return pidfdSendSignal(pidfd, signal);
  } finally {
    fs.closeSync(pidfd);
  }
}
