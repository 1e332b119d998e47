import type { RequestNamed } from '../../wire/index.ts';
import { removeFiles } from '../retention.ts';
import { logFileName } from '../runs/index.ts';
import type { Daemon } from './context.ts';

/**
 * Forgets a run and removes its files. By `hash` the number may run again, as it always could; by `key` a tombstone
 * keeps it from running twice.
 */
export async function free(request: RequestNamed<'free'>, daemon: Daemon): Promise<object> {
  const run = await daemon.runs.free(request.key, !request.byHash);
  const pool = daemon.pools.find(run.identity.pool);
  if (pool !== undefined) {
    // A log that was named may be shared; it goes by its age.
    const log = run.identity.spec.log === undefined ? logFileName(run.identity) : null;
    await removeFiles(pool.folder, run.identity.file, log, daemon.logTimes);
  }
  return { ok: true };
}
