// Looking at files and processes.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './conversation.ts';
import type { TestedZygote } from './runtime.ts';

export function logOf(zygote: TestedZygote, file: string): string {
  const path = join(zygote.runs, `${file}.log`);
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

export function runFileOf(zygote: TestedZygote, file: string): string[] {
  return readFileSync(join(zygote.runs, `${file}.run`), 'utf8')
    .trimEnd()
    .split('\n');
}

/** What a run has written into its run file behind its claim. */
export function factsOf(zygote: TestedZygote, file: string): string[] {
  return runFileOf(zygote, file).slice(1);
}

export function resultOf(zygote: TestedZygote, file: string): { [name: string]: unknown } {
  const line = factsOf(zygote, file).find((fact) => fact.startsWith('result '));
  return JSON.parse(line?.slice('result '.length) ?? 'null');
}

export function statOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

export function isAlive(pid: number): boolean {
  try {
    return statOf(pid)[0] !== 'Z';
  } catch {
    return false;
  }
}

/** Those of a process that are not zombies, the oldest first. */
export function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map(Number)
    .filter(isAlive);
}

export function signalSet(pid: number, name: 'SigBlk' | 'SigIgn'): bigint {
  const line = new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return BigInt(`0x${line?.[1] ?? 'not found'}`);
}

/** When a run has printed "ready" it is in user code. */
export async function ready(zygote: TestedZygote, file: string): Promise<void> {
  await until(`${file} is ready`, () => logOf(zygote, file).includes('ready\n'));
}
