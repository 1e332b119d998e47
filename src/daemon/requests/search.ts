import type { RequestNamed } from '../../wire/index.ts';
import { searchLog } from '../logs/index.ts';
import { logAsked, unlessUnsafe } from './asked-log.ts';
import type { Asker, Daemon } from './context.ts';
import { Turns } from './turns.ts';

const DEFAULT_LIMIT = 100;

/** A connection may have 1,000 requests in progress: neither memory nor the event loop is for so many searches. */
const turns = new Turns(2);

/** The lines of a run's log that hold a text, as `logs` would show them. */
export async function search(request: RequestNamed<'search'>, daemon: Daemon, asker: Asker): Promise<object> {
  // Nothing is kept of it: in a takeover another process does it from the beginning.
  asker.task.handOver(() => ({}));
  using _turn = await turns.take();
  const { run, log } = logAsked(request, daemon, asker);
  const ended = run.phase.state === 'ended';
  const { matches, next, size } = await unlessUnsafe(
    searchLog(
      log,
      {
        text: request.text,
        ignoreCase: request.ignore_case === true,
        offset: request.offset ?? 0,
        limit: request.limit ?? DEFAULT_LIMIT,
        ends: ended ? 'final' : 'growing',
        signal: asker.connection.closed,
      },
      daemon.mask,
    ),
  );
  return { ok: true, matches, next_offset: next, size, end: ended && next >= size };
}
