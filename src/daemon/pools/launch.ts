import fs from 'node:fs';
import { type Account, CONTRACT_VERSION, type LaunchOptions } from '../../zygote/index.ts';
import type { PoolConfig } from '../config/index.ts';
import type { PoolFolder } from './folder.ts';

/** How a generation's zygote is started. Throws where the bootstrap or the folder of jobs is not there. */
export function launchOptionsOf(
  config: PoolConfig,
  folder: PoolFolder,
  number: number,
  account: Account | null,
  cwd: string,
  env: ReadonlyMap<string, string>,
): LaunchOptions {
  // Release symlinks are resolved once a generation, so that old framework and new classes never mix.
  const resolved = (path: string | null): string | undefined =>
    path === null ? undefined : fs.realpathSync(path);
  const bootstrap = resolved(config.bootstrap);
  const jobs = resolved(config.jobs);
  const files = folder.files(number);
  return {
    runtime: config.runtime,
    interpreter: config.interpreter,
    fork: config.fork !== false,
    args: config.args,
    account,
    group: config.group,
    nice: config.nice,
    rlimits: config.rlimits,
    env,
    cwd,
    socketPath: files.socket,
    bootLog: files.bootLog,
    config: {
      version: CONTRACT_VERSION,
      pool: config.name,
      generation: number,
      ...(bootstrap === undefined ? {} : { bootstrap }),
      ...(jobs === undefined ? {} : { jobs }),
      runs: folder.runs,
      prefork: config.prefork,
      // A process that is started for a run loads the application first.
      claim_timeout_ms: config.claimTimeoutMs + (isStarted(config) ? config.bootTimeoutMs : 0),
      leave_children: config.leaveChildren,
      ...(config.fork === 'unproven' ? { fork: 'unproven' } : {}),
    },
  };
}

function isStarted({ runtime, fork }: PoolConfig): boolean {
  return runtime === 'node' && fork === false;
}
