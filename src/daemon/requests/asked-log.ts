import { RocksyError, type RunKey } from '../../wire/index.ts';
import { type LogFile, UnsafeFileError } from '../logs/index.ts';
import { logOf, type Run } from '../runs/index.ts';
import type { Asker, Daemon } from './context.ts';
import { found } from './scope.ts';

/** The log that a request is about. Throws `not_found`. */
export function logAsked(
  { key }: { readonly key: RunKey },
  daemon: Daemon,
  { scope }: Pick<Asker, 'scope'>,
): { readonly run: Run; readonly log: LogFile } {
  const run = found(daemon, scope, key);
  const pool = daemon.pools.find(run.identity.pool);
  if (pool === undefined)
    throw new RocksyError('not_found', `The pool ${run.identity.pool} and its logs are gone`);
  return { run, log: logOf(run, pool) };
}

/** Of what is read: a file that is none of the pool's user's is `forbidden`. */
export async function unlessUnsafe<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof UnsafeFileError)) throw error;
    throw new RocksyError('forbidden', error.message, { cause: error });
  }
}
