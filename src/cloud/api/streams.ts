import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FedEvent } from '../leader/index.ts';
import type { Asker } from './auth.ts';
import type { Cloud } from './context.ts';
import { logPlace } from './handlers/index.ts';

/** A line now and then, so that proxies and clients know that it is alive. */
const ALIVE_MS = 15_000;
/** What a client leaves unread before its stream is ended: it comes back by Last-Event-ID. */
const MAX_UNREAD_BYTES = 4 << 20;

/** Server-sent events of one client: https://html.spec.whatwg.org/multipage/server-sent-events.html */
class EventStream {
  readonly #reply: FastifyReply;
  readonly #alive: NodeJS.Timeout;
  readonly closed: Promise<void>;

  constructor(reply: FastifyReply) {
    this.#reply = reply;
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    raw.flushHeaders();
    this.#alive = setInterval(() => raw.write(':\n\n'), ALIVE_MS);
    this.closed = new Promise((resolve) => {
      raw.once('close', () => {
        clearInterval(this.#alive);
        resolve();
      });
    });
  }

  get isOpen(): boolean {
    return !this.#reply.raw.destroyed && !this.#reply.raw.writableEnded;
  }

  send(event: string, id: string | null, data: unknown): void {
    if (!this.isOpen) return;
    const { raw } = this.#reply;
    raw.write(`event: ${event}\n${id === null ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`);
    if (raw.writableLength > MAX_UNREAD_BYTES) raw.destroy();
  }

  /** Waits where the client does not read. */
  async sendInTurn(event: string, id: string, data: unknown): Promise<void> {
    this.send(event, id, data);
    const { raw } = this.#reply;
    if (raw.writableNeedDrain)
      await Promise.race([this.closed, new Promise((resolve) => raw.once('drain', resolve))]);
  }

  end(): void {
    this.#reply.raw.end();
  }
}

function lastId(request: FastifyRequest): string | null {
  const header = request.headers['last-event-id'];
  return typeof header === 'string' && /^\d+(\.\d+)?$/.test(header) ? header : null;
}

/** All that changes of what the asker may see; `?kinds=run,host` only of these, `?project=` only of one. */
export async function streamEvents(
  request: FastifyRequest,
  reply: FastifyReply,
  asker: Asker,
  { leader }: Cloud,
): Promise<void> {
  const { kinds, project } = request.query as { readonly kinds?: string; readonly project?: string };
  const wanted = kinds === undefined ? null : new Set(kinds.split(','));
  const isSeen = ({ event }: FedEvent): boolean => {
    const { kind, project: of } = event;
    if (wanted !== null && !wanted.has(String(kind))) return false;
    if (of === undefined) return true;
    return (asker.project ?? of) === of && (project ?? of) === of;
  };
  const stream = new EventStream(reply);
  const listening = await leader.feed.listen(lastId(request), (events) => {
    for (const fed of events) if (isSeen(fed)) stream.send(String(fed.event.kind), fed.id, fed.event);
  });
  // Whoever has been away for longer than is remembered has to look again at what he shows.
  if (!listening.isWhole) stream.send('reset', null, {});
  await stream.closed;
  listening[Symbol.dispose]();
}

/** A log as it grows; ids are offsets. Ends with an event `end` when the run has, and all is told. */
export async function streamLog(
  request: FastifyRequest,
  reply: FastifyReply,
  asker: Asker,
  cloud: Cloud,
): Promise<void> {
  const { key } = request.params as { readonly key: string };
  const query = request.query as { readonly offset?: string; readonly attempt?: string };
  const place = await logPlace(
    { params: { key }, asker, cloud },
    query.attempt === undefined ? undefined : Number(query.attempt),
  );
  const offset = Number(lastId(request) ?? query.offset ?? 0);
  const stream = new EventStream(reply);
  let sending = Promise.resolve();
  const { id, answer } = place.connection.stream(
    'logs',
    { key: place.key, offset: Number.isSafeInteger(offset) ? offset : 0, follow: true },
    ({ data, data_base64, next_offset }) => {
      const shown = data === undefined ? { data_base64 } : { data };
      sending = sending.then(() => stream.sendInTurn('data', String(next_offset), shown));
    },
  );
  void stream.closed.then(() => place.connection.stop(id));
  const ended = await answer.then(
    ({ end }) => end === true,
    () => false,
  );
  await sending;
  // Else the link to the host broke: the client comes back.
  if (ended) stream.send('end', null, {});
  stream.end();
}
