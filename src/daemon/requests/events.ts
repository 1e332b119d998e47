import { type RequestNamed, RocksyError, type RunEventName, type RunKey } from '../../wire/index.ts';
import type { Connection } from '../connections/index.ts';
import type { Asker, Daemon } from './context.ts';
import { show } from './show.ts';

const ALL: readonly RunEventName[] = ['queued', 'started', 'exited', 'progress', 'log'];
const MAX_SUBSCRIPTIONS = 100;

/** What goes on for a connection, by the `id` that began it: subscriptions and followed logs. */
const ongoing = new WeakMap<Connection, Map<string, () => void>>();

/** Notes something that goes on under an id, until `unsubscribe` or the end of the connection. */
export function begin({ connection, id }: Asker, what: string, stop: () => void): void {
  if (id === undefined) throw new RocksyError('invalid_request', `${what} needs an id: its lines carry it`);
  const name = JSON.stringify(id);
  const all = ongoing.get(connection) ?? new Map<string, () => void>();
  if (all.has(name)) throw new RocksyError('invalid_request', `id: ${name} is in use on this connection`);
  if (all.size >= MAX_SUBSCRIPTIONS) {
    throw new RocksyError('invalid_request', `A connection may have ${MAX_SUBSCRIPTIONS} subscriptions`);
  }
  ongoing.set(connection, all.set(name, stop));
  connection.closed.addEventListener('abort', stop, { once: true });
}

/** What went on under the id is over. */
export function over({ connection, id }: Asker): void {
  ongoing.get(connection)?.delete(JSON.stringify(id));
}

export function subscribe(request: RequestNamed<'subscribe'>, daemon: Daemon, asker: Asker): object {
  const { connection, id } = asker;
  let remove = (): void => undefined;
  begin(asker, 'subscribe', () => remove());
  remove = daemon.runs.subscriptions.add({
    events: new Set(request.events ?? ALL),
    pool: request.pool ?? null,
    key: (request.key as RunKey | undefined) ?? null,
    push: (event, run, more) => {
      const about = event === 'log' ? { key: run.identity.key } : { run: show(run, daemon.mask) };
      if (id !== undefined) connection.push(id, { event, ...about, ...more });
    },
  });
  return { ok: true };
}

export function unsubscribe(
  request: RequestNamed<'unsubscribe'>,
  _daemon: Daemon,
  { connection }: Asker,
): object {
  const name = JSON.stringify(request.subscription);
  const all = ongoing.get(connection);
  const stop = all?.get(name);
  if (stop === undefined)
    throw new RocksyError('not_found', `There is no subscription ${name} on this connection`);
  all?.delete(name);
  connection.closed.removeEventListener('abort', stop);
  stop();
  return { ok: true };
}
