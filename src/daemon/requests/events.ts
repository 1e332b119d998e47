import {
  type Progress,
  type RequestNamed,
  RocksyError,
  type RunEventName,
  type RunKey,
} from '../../wire/index.ts';
import type { Connection } from '../connections/index.ts';
import type { Asker, Daemon } from './context.ts';
import { maskedProgress, show } from './show.ts';

const ALL: readonly RunEventName[] = ['queued', 'started', 'exited', 'progress', 'log'];
const MAX_SUBSCRIPTIONS = 100;

/** What goes on for a connection, by the `id` that began it: subscriptions and followed logs. */
const ongoing = new WeakMap<Connection, Map<string, () => void>>();

/**
 * Notes something that goes on under an id, until `unsubscribe` or the end of the connection stop it.
 * The answer ends the note: it is to be called when it was over by itself.
 */
export function begin({ connection, id }: Asker, what: string, stop: () => void): () => void {
  if (id === undefined) throw new RocksyError('invalid_request', `${what} needs an id: its lines carry it`);
  // Requests that came before the end of a connection are taken after it too; nothing would stop what they begin.
  connection.closed.throwIfAborted();
  const name = JSON.stringify(id);
  const all = ongoing.get(connection) ?? new Map<string, () => void>();
  if (all.has(name)) throw new RocksyError('invalid_request', `id: ${name} is in use on this connection`);
  if (all.size >= MAX_SUBSCRIPTIONS) {
    throw new RocksyError('invalid_request', `A connection may have ${MAX_SUBSCRIPTIONS} subscriptions`);
  }
  const over = (): void => {
    connection.closed.removeEventListener('abort', stopped);
    if (all.get(name) === stopped) all.delete(name);
  };
  const stopped = (): void => {
    over();
    stop();
  };
  ongoing.set(connection, all.set(name, stopped));
  connection.closed.addEventListener('abort', stopped, { once: true });
  return over;
}

export function subscribe(request: RequestNamed<'subscribe'>, daemon: Daemon, asker: Asker): object {
  const { connection, id, scope, task } = asker;
  let remove = (): void => undefined;
  begin(asker, 'subscribe', () => remove());
  task.handOver(() => ({}));
  const over = connection.goesOn(task);
  const unsubscribe = daemon.runs.subscriptions.add({
    events: new Set(request.events ?? ALL),
    pool: request.pool ?? null,
    key: (request.key as RunKey | undefined) ?? null,
    origin: scope.origin === 'local' ? null : scope.origin,
    push: (event, run, more) => {
      const about = event === 'log' ? { key: run.identity.key } : { run: show(run, daemon.mask) };
      const masked =
        'progress' in more ? { progress: maskedProgress(more.progress as Progress, daemon.mask) } : more;
      if (id !== undefined) connection.push(id, { event, ...about, ...masked });
    },
  });
  remove = () => {
    unsubscribe();
    over();
  };
  return { ok: true };
}

export function unsubscribe(
  request: RequestNamed<'unsubscribe'>,
  _daemon: Daemon,
  { connection }: Asker,
): object {
  const name = JSON.stringify(request.subscription);
  const stop = ongoing.get(connection)?.get(name);
  if (stop === undefined)
    throw new RocksyError('not_found', `There is no subscription ${name} on this connection`);
  stop();
  return { ok: true };
}
