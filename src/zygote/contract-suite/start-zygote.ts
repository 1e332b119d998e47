import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listenUnix } from '../../posix/index.ts';
import type { ZygoteConfig } from '../contract.ts';
import { childrenOf, isAlive } from './looking.ts';
import type { StartOptions, TestedZygote } from './runtime.ts';

/** What a runtime's zygote is started by. */
export interface ZygoteProgram {
  readonly name: string;
  /** The interpreter, its arguments, the program. */
  readonly command: readonly [string, ...string[]];
  readonly env: { readonly [name: string]: string };
  /** Loaded unless another one is given. */
  readonly bootstrap: string;
}

/** A real zygote in a folder of its own, as the launcher starts it. */
export function startZygote(
  { name, command, env: own, bootstrap }: ZygoteProgram,
  { config = {}, env = {} }: StartOptions = {},
): TestedZygote {
  const folder = mkdtempSync(join(tmpdir(), `rocksy-${name}-`));
  const runs = join(folder, 'runs');
  const socket = join(folder, 'socket');
  const bootLog = join(folder, 'boot.log');
  mkdirSync(runs);
  const listening = listenUnix({ path: socket, mode: 0o600, backlog: 16 });
  const log = openSync(bootLog, 'a');
  const full: ZygoteConfig = {
    version: 1,
    pool: 'web',
    generation: 1,
    bootstrap,
    runs,
    prefork: 0,
    claim_timeout_ms: 30_000,
    leave_children: false,
    ...config,
  };
  const [interpreter, ...args] = command;
  const child = spawn(interpreter, args, {
    cwd: folder,
    env: {
      PATH: process.env.PATH ?? '/usr/bin:/bin',
      LANG: 'C.UTF-8',
      ...own,
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
      const children = isAlive(pid) ? childrenOf(pid) : [];
      for (const victim of [...children, pid]) killIfThere(victim);
      await exit;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
