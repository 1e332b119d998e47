// For the tests beside it: a real Node zygote in a folder of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { listenUnix } from '../../posix/index.ts';
import type { ZygoteConfig } from '../contract.ts';
import { childrenOf, type StartOptions, type TestedZygote } from '../contract-suite/index.ts';
import { FORK_ENVIRONMENT, FORK_FLAGS } from './flags.ts';

const PROGRAM = fileURLToPath(new URL('./zygote.ts', import.meta.url));
export const FIXTURES = fileURLToPath(new URL('./fixtures/', import.meta.url));

/** Loads fixtures/jobs.ts unless another bootstrap is given. */
export function startZygote({ config = {}, env = {} }: StartOptions = {}): TestedZygote {
  const folder = mkdtempSync(join(tmpdir(), 'rocksy-node-'));
  const runs = join(folder, 'runs');
  const socket = join(folder, 'socket');
  const bootLog = join(folder, 'boot.log');
  mkdirSync(runs);
  const listening = listenUnix({ path: socket, mode: 0o600, backlog: 16 });
  const log = openSync(bootLog, 'a');
  const full: ZygoteConfig = {
    version: 1,
    pool: 'js',
    generation: 1,
    bootstrap: join(FIXTURES, 'jobs.ts'),
    runs,
    prefork: 0,
    claim_timeout_ms: 30_000,
    leave_children: false,
    ...config,
  };
  const child = spawn(process.execPath, [...FORK_FLAGS, PROGRAM], {
    cwd: folder,
    env: {
      PATH: process.env.PATH ?? '/usr/bin:/bin',
      LANG: 'C.UTF-8',
      ...FORK_ENVIRONMENT,
      ROCKSY_ZYGOTE: JSON.stringify(full),
      ...env,
    },
    detached: true,
    stdio: ['ignore', log, log, listening],
  });
  closeSync(log);
  closeSync(listening);
  const pid = child.pid ?? 0;
  const exit = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
  return {
    pid,
    folder,
    runs,
    socket,
    bootLog,
    exit,
    async [Symbol.asyncDispose]() {
      // Its children first: afterwards nobody knows them.
      for (const victim of [...safely(() => childrenOf(pid)), pid])
        safely(() => [Number(process.kill(victim, 'SIGKILL'))]);
      await exit;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Whoever is to be killed may be gone. */
function safely(action: () => number[]): number[] {
  try {
    return action();
  } catch {
    return [];
  }
}
