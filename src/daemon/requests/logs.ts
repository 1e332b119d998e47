import { isUtf8 } from 'node:buffer';
import { RocksyError, type RequestNamed, type RunKey } from '../../wire/index.ts';
import { type LogChunk, type LogFile, LogFollower, MAX_CHUNK_BYTES, readRange, UnsafeFileError } from '../logs/index.ts';
import { logOf, type Run, viewOf } from '../runs/index.ts';
import type { Asker, Daemon } from './context.ts';
import { begin, over } from './events.ts';

type LogsRequest = RequestNamed<'logs'>;

/** A piece of a run's log, or with `follow` all of it from an offset on, until the run has ended. */
export async function logs(request: LogsRequest, daemon: Daemon, asker: Asker): Promise<object> {
  const run = daemon.runs.get(request.key);
  if (run === undefined) throw new RocksyError('not_found', `There is no run ${request.key}`);
  const pool = daemon.pools.find(run.identity.pool);
  if (pool === undefined) throw new RocksyError('not_found', `The pool ${run.identity.pool} and its logs are gone`);
  const log = logOf(run, pool);
  const offset = await startOf(request, log, daemon);
  try {
    return request.follow === true
      ? await follow(request.key, log, offset, daemon, asker)
      : await range(request, run, log, offset, daemon);
  } catch (error) {
    if (!(error instanceof UnsafeFileError)) throw error;
    throw new RocksyError('forbidden', error.message, { cause: error });
  }
}

async function startOf(request: LogsRequest, log: LogFile, daemon: Daemon): Promise<number> {
  if (request.offset !== undefined || request.since === undefined) return request.offset ?? 0;
  return await daemon.logTimes.offsetAt(log.notes, request.since);
}

async function range(request: LogsRequest, run: Run, log: LogFile, offset: number, daemon: Daemon): Promise<object> {
  const ended = run.phase.state === 'ended';
  const chunk = await readRange(
    log,
    { offset, length: request.length ?? MAX_CHUNK_BYTES, ends: ended ? 'final' : 'growing' },
    daemon.mask,
  );
  return { ok: true, ...shown(chunk), next_offset: chunk.next, size: chunk.size, end: ended && chunk.next >= chunk.size };
}

async function follow(key: RunKey, log: LogFile, offset: number, daemon: Daemon, asker: Asker): Promise<object> {
  const { connection, id } = asker;
  using follower = new LogFollower(log, { offset, mask: daemon.mask });
  begin(asker, 'logs with follow', () => follower.close());
  const stopped = new AbortController();
  try {
    void daemon.runs.ended(key, AbortSignal.any([connection.closed, stopped.signal])).then(
      () => follower.finish(),
      () => follower.close(),
    );
    let end = offset;
    for (let chunk = await follower.next(); chunk !== 'end'; chunk = await follower.next()) {
      end = chunk.next;
      if (id !== undefined) connection.push(id, { event: 'data', ...shown(chunk), next_offset: chunk.next });
      await connection.drained();
    }
    const run = daemon.runs.get(key);
    return { ok: true, next_offset: end, end: run?.phase.state === 'ended', run: run === undefined ? null : viewOf(run) };
  } finally {
    stopped.abort();
    over(asker);
  }
}

/** Bytes as text where they are text. */
function shown({ offset, data }: LogChunk): object {
  return isUtf8(data) ? { offset, data: data.toString() } : { offset, data_base64: data.toString('base64') };
}
