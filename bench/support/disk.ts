import { closeSync, fdatasyncSync, mkdirSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { median, round } from './statistics.ts';

const COUNT = 200;
const PAGES = Buffer.alloc(8192);

function timesOf(work: (number: number) => void): number[] {
  return Array.from({ length: COUNT }, (_, number) => {
    const begin = performance.now();
    work(number);
    return performance.now() - begin;
  });
}

/** What the disk takes for the two things that each run needs: a new file (two of them), and a commit of the journal. */
export function describeDisk(folder: string): string {
  mkdirSync(folder);
  const create = timesOf((number) => {
    closeSync(openSync(path.join(folder, String(number)), 'wx', 0o600));
  });
  const log = openSync(path.join(folder, 'log'), 'w');
  const commit = timesOf(() => {
    writeSync(log, PAGES);
    fdatasyncSync(log);
  });
  closeSync(log);
  return `a new file ${round(median(create) * 1000)} µs, a write of 8 KiB with fdatasync ${round(median(commit))} ms`;
}
