import { type RequestNamed, RocksyError } from '../../wire/index.ts';
import { roleOfToken } from '../connections/index.ts';
import { freeBytes } from '../logs/index.ts';
import type { Pool } from '../pools/index.ts';
import type { Asker, Daemon } from './context.ts';
import { lends } from './scope.ts';

export const PROTOCOL_VERSION = 1;

export function hello(request: RequestNamed<'hello'>, daemon: Daemon, { connection }: Asker): object {
  if (request.token !== undefined) {
    const role = roleOfToken(daemon.config.auth, request.token);
    if (role === null) throw new RocksyError('unauthorized', 'The token is not known');
    connection.role = role;
  }
  const { version } = daemon;
  return { ok: true, version, protocol: PROTOCOL_VERSION, pid: process.ppid, role: connection.role };
}

export function pools(_request: RequestNamed<'pools'>, daemon: Daemon, { scope }: Asker): object {
  return { ok: true, pools: daemon.pools.views().filter(({ name }) => lends(scope, name)) };
}

/** Starts the next generation of one pool or of all, and answers when it serves. */
export async function reload(
  request: RequestNamed<'reload'>,
  daemon: Daemon,
  { task }: Asker,
): Promise<object> {
  // A process that goes on with this begins anew: of a generation that was being started nothing is left.
  task.handOver(() => ({}));
  const chosen = request.pool === undefined ? daemon.pools.configured : [daemon.pools.choose(request.pool)];
  return { ok: true, pools: await reloadAll(chosen) };
}

function reloadAll(pools: readonly Pool[]): Promise<readonly { name: string; generation: number }[]> {
  return Promise.all(pools.map(async (pool) => ({ name: pool.name, generation: await pool.reload() })));
}

export function drain(request: RequestNamed<'drain'>, daemon: Daemon): object {
  daemon.pools.choose(request.pool).setDraining(request.on ?? true);
  return { ok: true };
}

/** By their states now: the journal does not follow a run through each of them. */
function liveCounts({ runs }: Daemon): Record<'queued' | 'starting' | 'running', number> {
  const counts = { queued: 0, starting: 0, running: 0, ended: 0 };
  for (const { phase } of runs.live) counts[phase.state]++;
  const { queued, starting, running } = counts;
  return { queued, starting, running };
}

export function stats(_request: RequestNamed<'stats'>, daemon: Daemon): object {
  const memory = process.memoryUsage();
  return {
    ok: true,
    version: daemon.version,
    keeper_pid: process.ppid,
    worker_pid: process.pid,
    started_ms: daemon.startedMs,
    connections: daemon.connectionCount(),
    subscriptions: daemon.runs.subscriptions.size,
    runs: { ...daemon.journal.counts(), ...liveCounts(daemon) },
    active: daemon.runs.liveCount,
    rss_bytes: memory.rss,
    heap_bytes: memory.heapUsed,
    free_disk_bytes: freeBytes(daemon.config.state),
    listeners: daemon.config.listen.map(({ name }) => name),
  };
}

/** What a `restart` is at: it waits for others, or its own takeover is under way. */
interface Restarting {
  readonly begun: boolean;
}

/**
 * Replaces the daemon's code and configuration and answers when the new process serves; or says why it could not, and
 * nothing has changed. Who asks while a takeover is under way may have changed the code since it began, and gets another.
 */
export async function restart(
  request: RequestNamed<'restart'>,
  daemon: Daemon,
  { task }: Asker,
): Promise<object> {
  const progress: { begun: boolean } = { begun: (task.resumed as Restarting | null)?.begun ?? false };
  task.handOver(() => progress);
  if (!progress.begun) {
    await daemon.restart(() => {
      progress.begun = true;
    });
  }
  const takeover = await daemon.takenOver;
  if (request.reload !== true) return { ok: true, takeover };
  try {
    return { ok: true, takeover, pools: await reloadAll(daemon.pools.configured) };
  } catch (error) {
    if (!(error instanceof RocksyError)) throw error;
    const { code, message, hint, output } = error;
    throw new RocksyError(code, `The new version serves, but ${message}`, {
      cause: error,
      ...(hint === undefined ? {} : { hint }),
      ...(output === undefined ? {} : { output }),
    });
  }
}

export function stop(_request: RequestNamed<'stop'>, daemon: Daemon): object {
  // The answer leaves first.
  setImmediate(daemon.stop);
  return { ok: true };
}

export function bye(_request: RequestNamed<'bye'>, _daemon: Daemon, { connection }: Asker): object {
  setImmediate(() => connection.end());
  return { ok: true };
}
