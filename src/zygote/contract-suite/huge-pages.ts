import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';

/** Why a process can't make its pages huge ones here: MADV_COLLAPSE has come with Linux 6.1, and not every kernel has them. */
export const noHugePages: string | false =
  Number.parseFloat(release()) < 6.1 || !existsSync('/sys/kernel/mm/transparent_hugepage')
    ? `Linux ${release()} has no MADV_COLLAPSE`
    : false;

export function hugePagesKib(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
  return Number(/^AnonHugePages:\s+(\d+)/m.exec(rollup)?.[1]);
}
