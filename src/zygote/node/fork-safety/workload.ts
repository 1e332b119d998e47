import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Something that jobs do. It checks its own result, and throws where that is wrong. */
export interface Workload {
  readonly name: string;
  /** Takes a few milliseconds, no network beyond loopback, no file outside a temporary folder: for the self-check. */
  readonly isShort: boolean;
  /** What the process must end with, which for some is the point. */
  readonly exitCode: number;
  readonly run: () => unknown;
}

export function workload(name: string, run: () => unknown, exitCode = 0): Workload {
  return { name, isShort: false, exitCode, run };
}

export function short(name: string, run: () => unknown): Workload {
  return { name, isShort: true, exitCode: 0, run };
}

/** A folder for one use. */
export async function inFolder<T>(use: (folder: string) => Promise<T> | T): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'rocksy-fork-safety-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
