import { readFileSync } from 'node:fs';
import { children, type Thread, threads } from '../../../posix/index.ts';

/** What a process that does not end is doing, and those that it has started, for whoever wants to know why: proc(5). */
export function whatIsStuck(pid: number): string {
  const all = threads(pid).map((thread) => describe(pid, thread));
  const below = children(pid).map((child) => `child ${whatIsStuck(child)}`);
  return [`pid ${pid}: ${all.join(', ')}`, ...below].join('; ');
}

/** `futex_do_wait` of a thread that waits for another; where the kernel tells no place, its system call. */
function describe(pid: number, { tid, name, state }: Thread): string {
  const place = read(`/proc/${pid}/task/${tid}/wchan`);
  const call = read(`/proc/${pid}/task/${tid}/syscall`).split(' ')[0] ?? '';
  const where = place === '' || place === '0' ? '' : ` in ${place}`;
  return `${name} ${state}${where}${call === '' ? '' : ` (system call ${call})`}`;
}

/** Empty where the process is gone, or we may not look. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return '';
  }
}
