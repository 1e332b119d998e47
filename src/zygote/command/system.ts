import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { children, peekZombie, wait4 } from '../../posix/index.ts';
import { after, type Reports, type System, signal } from '../serving/index.ts';
import { type ChildMaker, runFile, spawnChild } from './child.ts';
import type { CommandStart } from './request.ts';

// O_NOFOLLOW and O_NONBLOCK, because the user's code can put anything in the place of its run file, a FIFO too.
const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The real operating system. */
export function realSystem(maker: ChildMaker, reports: Reports): System<CommandStart> {
  return {
    spawn: (start, born) => born(attempt(() => spawnChild(maker, start))),
    signal,
    reap: () => {
      const pid = peekZombie();
      return pid === null ? null : wait4(pid, 'nohang');
    },
    children: () => children(process.pid),
    readReports: () => reports.read(),
    // The command took the place of whatever could have written this itself.
    noteExit: (file, code) => appendLine(runFile(maker, file), `exit ${code}`),
    nowMs: () => performance.now(),
    after,
  };
}

function attempt(spawn: () => number): number | Error {
  try {
    return spawn();
  } catch (error) {
    return error as Error;
  }
}

function appendLine(path: string, line: string): void {
  try {
    const fd = openSync(path, APPEND);
    try {
      writeSync(fd, `${line}\n`);
    } finally {
      closeSync(fd);
    }
  } catch {
    // Removed by the user's code, or the disk is full: `ended` says the same.
  }
}
