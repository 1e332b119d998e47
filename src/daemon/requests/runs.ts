import { type RequestNamed, RocksyError, type RunView } from '../../wire/index.ts';
import { type Run, readRunFile, runFileOf, signalNumber, viewOf } from '../runs/index.ts';
import type { Asker, Daemon } from './context.ts';
import { found } from './scope.ts';
import { masked, show } from './show.ts';

const DEFAULT_LIMIT = 100;

/** A run as it stands; what it reports of itself is read from its run file while it goes on. */
function current(daemon: Daemon, run: Run): RunView {
  const view = viewOf(run);
  const pool = daemon.pools.find(run.identity.pool);
  if (run.phase.state !== 'running' || pool === undefined) return masked(view, daemon.mask);
  const report = readRunFile(runFileOf(run, pool))?.report;
  return masked({ ...view, progress: report?.progress ?? null }, daemon.mask);
}

export function status(request: RequestNamed<'status'>, daemon: Daemon, { scope }: Asker): object {
  return { ok: true, run: current(daemon, found(daemon, scope, request.key)) };
}

export function check(request: RequestNamed<'check'>, daemon: Daemon, { scope }: Asker): object {
  const run = current(daemon, found(daemon, scope, request.key));
  return { ok: true, run, ...(run.state === 'ended' ? { retcode: run.retcode } : {}) };
}

/** Newest first. What has not ended is in memory, and newer than what the journal says of it. */
export function list(request: RequestNamed<'list'>, daemon: Daemon, { scope }: Asker): object {
  const { pool, state, limit = DEFAULT_LIMIT, before } = request;
  const page = daemon.journal.list({
    ...(scope.origin === 'local' ? {} : { origin: scope.origin }),
    ...(pool === undefined ? {} : { pool }),
    ...(before === undefined ? {} : { before }),
    // Rows of runs that go on say 'queued': their phases are not written down one by one.
    ...(state === undefined ? {} : { state: state === 'ended' ? 'ended' : 'active' }),
    limit,
  });
  const runs = page.runs.map((row) => daemon.runs.liveRun(row.identity.key) ?? row);
  const wanted = runs.filter((run) => state === undefined || state === 'active' || run.phase.state === state);
  return { ok: true, runs: wanted.map((run) => show(run, daemon.mask)), next: page.next };
}

export async function wait(request: RequestNamed<'wait'>, daemon: Daemon, asker: Asker): Promise<object> {
  found(daemon, asker.scope, request.key);
  const until = waitsUntil(request, asker);
  asker.task.handOver(() => ({ untilMs: until }));
  const limit =
    until === null ? [] : [AbortSignal.timeout(Math.max(0, Math.min(until - Date.now(), 2 ** 31 - 1)))];
  try {
    const run = await daemon.runs.ended(request.key, AbortSignal.any([asker.connection.closed, ...limit]));
    return { ok: true, run: show(run, daemon.mask) };
  } catch (error) {
    if ((error as Error).name !== 'TimeoutError') throw error;
    throw new RocksyError(
      'wait_timeout',
      `The run ${request.key} has not ended within ${request.timeout_ms} ms`,
    );
  }
}

/** In milliseconds of the epoch. */
function waitsUntil(request: RequestNamed<'wait'>, { task }: Asker): number | null {
  if (task.resumed !== null) return (task.resumed as { readonly untilMs: number | null }).untilMs;
  return request.timeout_ms === undefined ? null : Date.now() + request.timeout_ms;
}

export async function signal(
  request: RequestNamed<'signal'>,
  daemon: Daemon,
  { scope }: Asker,
): Promise<object> {
  const number = signalNumber(request.signal);
  if (number === null)
    throw new RocksyError('invalid_request', `signal: there is no signal '${request.signal}'`);
  found(daemon, scope, request.key);
  await daemon.runs.signal(request.key, number);
  return { ok: true };
}

function killAfterMs({ identity }: Run): number {
  return identity.spec.kill_after_ms ?? 5000;
}

export async function terminate(
  request: RequestNamed<'terminate'>,
  daemon: Daemon,
  { scope }: Asker,
): Promise<object> {
  const run = found(daemon, scope, request.key);
  // One that waits in a queue has no process to signal; not to start it is what the client wants.
  if (run.phase.state === 'queued') await daemon.runs.cancel(request.key, killAfterMs(run), 'cancel');
  else await daemon.runs.signal(request.key, 15);
  return { ok: true };
}

export async function cancel(
  request: RequestNamed<'cancel'>,
  daemon: Daemon,
  { scope }: Asker,
): Promise<object> {
  const run = found(daemon, scope, request.key);
  await daemon.runs.cancel(request.key, request.kill_after_ms ?? killAfterMs(run), 'cancel');
  return { ok: true, run: current(daemon, found(daemon, scope, request.key)) };
}
