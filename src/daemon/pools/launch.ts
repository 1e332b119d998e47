import fs from 'node:fs';
import { type Account, CONTRACT_VERSION, type LaunchOptions } from '../../zygote/index.ts';
import type { PoolConfig } from '../config/index.ts';
import type { PoolFolder } from './folder.ts';

/** How a generation's zygote is started. Throws where the bootstrap is not there. */
export function launchOptionsOf(
  config: PoolConfig,
  folder: PoolFolder,
  number: number,
  account: Account | null,
  cwd: string,
  env: ReadonlyMap<string, string>,
): LaunchOptions {
  // Release symlinks are resolved once a generation, so that old framework and new classes never mix.
  const bootstrap = config.bootstrap === null ? null : fs.realpathSync(config.bootstrap);
  const jobs = config.jobs === null ? null : fs.realpathSync(config.jobs);
  const files = folder.files(number);
  return {
    runtime: config.runtime,
    interpreter: config.interpreter,
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
      ...(bootstrap === null ? {} : { bootstrap }),
      ...(jobs === null ? {} : { jobs }),
      runs: folder.runs,
      prefork: config.prefork,
      claim_timeout_ms: config.claimTimeoutMs,
      leave_children: config.leaveChildren,
    },
  };
}
