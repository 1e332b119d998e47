import { unlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { ZygoteConfig } from '../contract.ts';
import type { Runs } from '../serving/index.ts';
import { type JobStart, PROBE } from './request.ts';

let probes = 0;

/** A child that goes all the way, with files of its own, runs nothing and leaves nothing. */
export function probe(
  runs: Runs<JobStart>,
  config: ZygoteConfig,
  done: (problem: string | null) => void,
): void {
  const file = `.probe-${config.generation}-${process.pid}-${++probes}`;
  const removeFiles = (): void => {
    for (const name of [`${file}.run`, `${file}.log`]) removeIfThere(join(config.runs, name));
  };
  const start: JobStart = {
    key: file,
    file,
    class: PROBE,
    params: null,
    env: {},
    cwd: '',
    stdin: null,
    log: `${file}.log`,
    timeoutMs: config.claim_timeout_ms,
    killAfterMs: 0,
  };
  removeFiles(); // of a zygote that died in the middle of a probe, before its pid came round again
  runs.probe(start, (problem) => {
    removeFiles();
    done(problem);
  });
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It never was.
  }
}
