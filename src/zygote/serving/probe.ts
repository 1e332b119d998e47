import { readFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { ZygoteConfig } from '../contract.ts';
import type { RunStart } from './request.ts';
import type { Runs } from './runs.ts';

const MOST_OUTPUT = 4_000;

/** It may check itself, on a machine that is busy; a hook after the fork may connect. The daemon has a limit of its own. */
const PROBE_TIMEOUT_MS = 30_000;

let probes = 0;

/**
 * A child that goes all the way, with files of its own, runs nothing of the user's and leaves nothing.
 * @param startOf adds what makes it such a child in this runtime
 */
export function probe<Start extends RunStart>(
  runs: Runs<Start>,
  config: ZygoteConfig,
  startOf: (start: RunStart) => Start,
  done: (problem: string | null) => void,
): void {
  const file = `.probe-${config.generation}-${process.pid}-${++probes}`;
  const log = `${file}.log`;
  const removeFiles = (): void => {
    for (const name of [`${file}.run`, log]) removeIfThere(join(config.runs, name));
  };
  const start: RunStart = {
    key: file,
    file,
    env: {},
    cwd: '',
    stdin: null,
    log,
    timeoutMs: PROBE_TIMEOUT_MS,
    killAfterMs: 0,
  };
  removeFiles(); // of a zygote that died in the middle of a probe, before its pid came round again
  runs.probe(startOf(start), (problem) => {
    const output = problem === null ? '' : endOf(join(config.runs, log));
    removeFiles();
    done(output === '' ? problem : `${problem}\n${output}`);
  });
}

/** What it has printed, or the last of that: a hook that fails says why there. */
function endOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trimEnd().slice(-MOST_OUTPUT);
  } catch {
    return ''; // it did not come that far
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It never was.
  }
}
