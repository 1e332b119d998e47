import { readFileSync } from 'node:fs';
import { release } from 'node:os';

/** Why a process can't make its pages huge ones here: MADV_COLLAPSE has come with Linux 6.1. */
export const noHugePages: string | false =
  Number(/^(\d+\.\d+)/.exec(release())?.[1]) < 6.1 ? `Linux ${release()}` : false;

export function hugePagesKib(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
  return Number(/^AnonHugePages:\s+(\d+)/m.exec(rollup)?.[1]);
}
