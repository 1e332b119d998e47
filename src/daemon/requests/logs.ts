import { isUtf8 } from 'node:buffer';
import type { RequestNamed, RunKey } from '../../wire/index.ts';
import { type LogChunk, type LogFile, LogFollower, MAX_CHUNK_BYTES, readRange } from '../logs/index.ts';
import type { Run } from '../runs/index.ts';
import { logAsked, unlessUnsafe } from './asked-log.ts';
import type { Asker, Daemon } from './context.ts';
import { begin } from './events.ts';
import { show } from './show.ts';

type LogsRequest = RequestNamed<'logs'>;

/** A piece of a run's log, or with `follow` all of it from an offset on, until the run has ended. */
export async function logs(request: LogsRequest, daemon: Daemon, asker: Asker): Promise<object> {
  const { run, log } = logAsked(request, daemon, asker);
  const from = (asker.task.resumed as Start | null) ?? (await startOf(request, log, daemon));
  return await unlessUnsafe(
    request.follow === true
      ? follow(request.key, log, from, daemon, asker)
      : range(request, run, log, from, daemon),
  );
}

/** Where to begin; a place that was found by time may lie within a character. */
interface Start {
  readonly offset: number;
  readonly start: 'exact' | 'character';
}

async function startOf(request: LogsRequest, log: LogFile, daemon: Daemon): Promise<Start> {
  if (request.offset !== undefined || request.since === undefined)
    return { offset: request.offset ?? 0, start: 'exact' };
  return { offset: await daemon.logTimes.offsetAt(log.notes, request.since), start: 'character' };
}

async function range(
  request: LogsRequest,
  run: Run,
  log: LogFile,
  from: Start,
  daemon: Daemon,
): Promise<object> {
  const ended = run.phase.state === 'ended';
  const chunk = await readRange(
    log,
    { ...from, length: request.length ?? MAX_CHUNK_BYTES, ends: ended ? 'final' : 'growing' },
    daemon.mask,
  );
  return {
    ok: true,
    ...shown(chunk),
    next_offset: chunk.next,
    size: chunk.size,
    end: ended && chunk.next >= chunk.size,
  };
}

async function follow(key: RunKey, log: LogFile, from: Start, daemon: Daemon, asker: Asker): Promise<object> {
  const { connection, id } = asker;
  using follower = new LogFollower(log, { ...from, mask: daemon.mask });
  const over = begin(asker, 'logs with follow', () => follower.close());
  // What has been read and waits for the client to read is read again by whoever goes on.
  let sent: Start = from;
  asker.task.handOver(() => sent);
  const stopped = new AbortController();
  try {
    void daemon.runs.ended(key, AbortSignal.any([connection.closed, stopped.signal])).then(
      () => follower.finish(),
      () => follower.close(),
    );
    for (let chunk = await follower.next(); chunk !== 'end'; chunk = await follower.next()) {
      const fields = { event: 'data', ...shown(chunk), next_offset: chunk.next };
      if (id !== undefined) await connection.pushInTurn(id, fields);
      sent = { offset: chunk.next, start: 'exact' };
    }
    const run = daemon.runs.get(key);
    const ended = run?.phase.state === 'ended';
    return {
      ok: true,
      next_offset: Math.max(0, follower.offset),
      end: ended,
      run: run === undefined ? null : show(run, daemon.mask),
    };
  } finally {
    stopped.abort();
    over();
  }
}

/** Bytes as text where they are text. */
function shown({ offset, data }: LogChunk): object {
  return isUtf8(data) ? { offset, data: data.toString() } : { offset, data_base64: data.toString('base64') };
}
