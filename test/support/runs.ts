// Runs that tests start: the same for pools of either runtime.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import type { Client, RunRequest, RunView } from '../../src/client/index.ts';
import type { TestDaemon } from './daemon.ts';
import type { Gate } from './gate.ts';

/** The bootstrap with the jobs, for the YAML of a php pool. */
export const JOBS = path.join(import.meta.dirname, 'jobs.php');

/** What the log of a marked run holds when it has run to its end. */
export const WHOLE_LOG = 'begun\nended\n';

const SCRIPT = 'echo ran >> "$0"; echo begun; [ -z "$1" ] || read _ < "$1"; echo ended; exit "$2"';

export interface Marked {
  readonly key: string;
  readonly pool: string;
  readonly runtime: 'php' | 'command';
  readonly code: number;
  readonly gate?: Gate;
}

/** A run that leaves one line in a file of its own for each time that it is executed, and ends with the code. */
export function marked(daemon: TestDaemon, { key, pool, runtime, code, gate }: Marked): RunRequest {
  const file = markOf(daemon, key);
  const path = gate?.path ?? '';
  return runtime === 'php'
    ? { key, pool, class: 'Marked', params: { file, gate: path, code } }
    : { key, pool, argv: ['sh', '-c', SCRIPT, file, path, String(code)] };
}

/** How often a marked run was executed. */
export function executions(daemon: TestDaemon, key: string): number {
  try {
    return fs.readFileSync(markOf(daemon, key), 'utf8').split('ran\n').length - 1;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

function markOf({ scratch }: TestDaemon, key: string): string {
  return path.join(scratch, `ran-${key}`);
}

/** Waits for a marked run, and fails unless it ran exactly once, to its end, with its own exit code and its whole log. */
export async function assertRanOnce(
  daemon: TestDaemon,
  client: Client,
  { key, code }: Pick<Marked, 'key' | 'code'>,
): Promise<RunView> {
  const run = await client.wait(key, { timeout_ms: 60_000 });
  assert.equal(run.outcome, code === 0 ? 'succeeded' : 'failed', JSON.stringify(run));
  assert.equal(run.code, code, key);
  assert.equal(executions(daemon, key), 1, `executions of ${key}`);
  assert.equal((await client.logs(key)).data.toString(), WHOLE_LOG, key);
  return run;
}

/** A run of a php pool that executes what stands in the test. */
export function php(key: string, code: string, more: Partial<RunRequest> = {}): RunRequest {
  return { key, pool: 'web', class: 'Script', params: { php: code }, ...more };
}

/** A run of a command pool that executes what stands in the test. */
export function sh(key: string, script: string, more: Partial<RunRequest> = {}): RunRequest {
  return { key, pool: 'os', argv: ['sh', '-c', script], ...more };
}
