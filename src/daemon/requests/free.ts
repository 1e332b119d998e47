import { type RequestNamed, RocksyError } from '../../wire/index.ts';
import { removeFiles } from '../retention.ts';
import { logFileName } from '../runs/index.ts';
import type { Asker, Daemon } from './context.ts';
import { found } from './scope.ts';

/**
 * By a client: forgets a run that has ended, and removes its files. By `hash` the number may run again, as it always could; by `key`
 * a tombstone keeps it from running twice. By the cloud: it has the outcome, and from now on the
 * run and its log are kept like any other's, so that they can still be read.
 */
export function free(request: RequestNamed<'free'>, daemon: Daemon, asker: Asker): Promise<object> {
  return daemon.runs.freeing(request.key, () => forget(request, daemon, asker));
}

async function forget(request: RequestNamed<'free'>, daemon: Daemon, { scope }: Asker): Promise<object> {
  const { key, byHash } = request;
  const run = found(daemon, scope, key);
  if (run.phase.state !== 'ended') {
    throw new RocksyError('not_ended', `The run ${key} has not ended`, { hint: 'cancel it first' });
  }
  if (scope.origin === 'cloud') {
    await daemon.journal.settle(key);
    return { ok: true };
  }
  const pool = daemon.pools.find(run.identity.pool);
  // The files go first: once the journal has forgotten the run its number may run anew, and the claim would be that one's.
  if (pool !== undefined) {
    // A log that was named may be shared; it goes by its age.
    const log = run.identity.spec.log === undefined ? logFileName(run.identity) : null;
    await removeFiles(pool.folder, run.identity.file, log, daemon.logTimes);
  }
  if (await daemon.journal.free(key, { tombstone: !byHash })) return { ok: true };
  throw new RocksyError('not_found', `There is no run ${key}`);
}
