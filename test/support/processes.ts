// What /proc says of processes.
import fs from 'node:fs';
import type { TestDaemon } from './daemon.ts';

export interface Child {
  readonly pid: number;
  /** One letter: proc_pid_stat(5). */
  readonly state: string;
  readonly command: string;
}

/** The children of a process, those that nobody has reaped among them. */
export function childrenOf(parent: number): Child[] {
  return fs.readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const stat = read(`/proc/${name}/stat`);
    const [state = '', ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(ppid) !== parent) return [];
    return [
      { pid: Number(name), state, command: read(`/proc/${name}/cmdline`).replaceAll('\0', ' ').trim() },
    ];
  });
}

/** The workers that a daemon has at the moment. */
export function workersOf({ keeperPid }: TestDaemon): number[] {
  return childrenOf(keeperPid)
    .filter(({ state, command }) => state !== 'Z' && command.includes('rocksyd'))
    .map(({ pid }) => pid);
}

function read(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    // It has ended meanwhile.
    return '';
  }
}
