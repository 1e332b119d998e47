import type { WebSocket } from 'ws';
import { HostRefusal } from '../dispatch/index.ts';

/** The link broke before an answer came: nobody knows whether the host has done it. */
export class LinkLost extends Error {
  override readonly name = 'LinkLost';
}

export type Fields = Readonly<Record<string, unknown>>;

interface Pending {
  settle(result: { readonly fields: Fields } | { readonly error: Error }): void;
  readonly push: ((fields: Fields) => void) | null;
}

/** How long a host may say nothing, pings unanswered, before it is cut off; it is pinged three times meanwhile. */
const SILENCE_MS = 30_000;
const PING_MS = 10_000;
/** What the host has not taken yet, at most. */
const MAX_UNSENT_BYTES = 64 << 20;

/** One host's link: requests of the wire out, answers and pushes in, one a message. Owns the socket. */
export class HostConnection {
  readonly #socket: WebSocket;
  readonly #pending = new Map<number, Pending>();
  readonly #pinging: NodeJS.Timeout;
  #lastId = 0;
  #heardMs = performance.now();
  readonly closed: Promise<void>;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        clearInterval(this.#pinging);
        this.#loseAll();
        resolve();
      });
    });
    // 'close' follows, and says all that matters.
    socket.on('error', () => socket.terminate());
    socket.on('message', (data, isBinary) => {
      this.#heardMs = performance.now();
      if (isBinary || !this.#take(data.toString())) socket.close(1003, 'one JSON object a message');
    });
    socket.on('pong', () => {
      this.#heardMs = performance.now();
    });
    this.#pinging = setInterval(() => {
      if (performance.now() - this.#heardMs > SILENCE_MS) socket.terminate();
      else socket.ping();
    }, PING_MS);
    this.#pinging.unref();
  }

  /** Rejects with HostRefusal where the host says no, with LinkLost where it can't be known. */
  request(name: string, fields: object): Promise<Fields> {
    return this.#send(name, fields, null).answer;
  }

  /** A request that goes on: what it pushes until the answer, or after it, comes to `push`. */
  stream(
    name: string,
    fields: object,
    push: (fields: Fields) => void,
  ): { readonly id: number; readonly answer: Promise<Fields> } {
    return this.#send(name, fields, push);
  }

  /** No more pushes of a stream. */
  stop(id: number): void {
    if (!this.#pending.delete(id)) return;
    this.request('unsubscribe', { subscription: id }).catch((error: unknown) => {
      // The host has ended the stream by itself, or it has gone and taken the stream with it.
      if (!(error instanceof HostRefusal || error instanceof LinkLost)) throw error;
    });
  }

  #send(name: string, fields: object, push: Pending['push']) {
    const id = ++this.#lastId;
    const answer = new Promise<Fields>((resolve, reject) => {
      if (this.#socket.readyState !== this.#socket.OPEN) {
        reject(new LinkLost('the host is not connected'));
        return;
      }
      this.#pending.set(id, {
        push,
        settle: (result) => ('error' in result ? reject(result.error) : resolve(result.fields)),
      });
      this.#socket.send(`${name} ${JSON.stringify({ ...fields, id })}`);
      if (this.#socket.bufferedAmount > MAX_UNSENT_BYTES) this.#socket.terminate();
    });
    return { id, answer };
  }

  /** False: it is no message of the link's. */
  #take(text: string): boolean {
    let fields: Fields;
    try {
      fields = JSON.parse(text) as Fields;
    } catch {
      return false;
    }
    const { id, ok, event } = fields;
    if (typeof id !== 'number') return false;
    const pending = this.#pending.get(id);
    if (typeof event === 'string') {
      pending?.push?.(fields);
      return true;
    }
    if (typeof ok !== 'boolean') return false;
    // A subscription goes on after its answer.
    if (pending?.push == null || !ok) this.#pending.delete(id);
    pending?.settle(ok ? { fields } : { error: refusalOf(fields) });
    return true;
  }

  #loseAll(): void {
    const error = new LinkLost('the link to the host broke');
    for (const { settle } of this.#pending.values()) settle({ error });
    this.#pending.clear();
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
    // It may not answer.
    setTimeout(() => this.#socket.terminate(), 1_000).unref();
  }
}

function refusalOf({ code, message }: Fields): HostRefusal {
  return new HostRefusal(String(code), typeof message === 'string' ? message : String(code));
}
