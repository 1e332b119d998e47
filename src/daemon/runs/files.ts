import path from 'node:path';
import type { LogFile, PoolFile } from '../logs/index.ts';
import type { Pool } from '../pools/index.ts';
import type { Run, RunIdentity } from './run.ts';

/** Base name of a run's log. Several runs may share one that they named. */
export function logFileName({ file, spec }: Pick<RunIdentity, 'file' | 'spec'>): string {
  return spec.log ?? `${file}.log`;
}

export function runFileOf({ identity }: Run, pool: Pool): PoolFile {
  return pool.ownFile(`${identity.file}.run`);
}

export function logOf({ identity }: Run, pool: Pool): LogFile {
  const name = logFileName(identity);
  return { ...pool.ownFile(name), notes: path.join(pool.folder.notes, name.slice(0, -'.log'.length)) };
}
