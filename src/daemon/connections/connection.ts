import {
  encodeAnswer,
  errorFields,
  LineFramer,
  ORIGINAL,
  parseLine,
  type RawRequest,
  type RequestId,
  RocksyError,
} from '../../wire/index.ts';
import type { Limits, Role } from '../config/index.ts';

/** What carries a connection's bytes. One write is in flight at a time: what is unsent is known to the byte. */
export interface Transport {
  /** Calls `done` when the bytes have left, or never when the connection is gone. */
  write(bytes: Buffer, done: () => void): void;
  pause(): void;
  resume(): void;
  /** Ends the connection after what was written. */
  end(): void;
  destroy(): void;
}

/** What answers the requests of a connection. */
export type Answerer = (request: RawRequest, connection: Connection) => Promise<object | null>;

/** A request that is answered in its turn, or what is to be said of a line that was none. */
type Ordered = { readonly request: RawRequest } | { readonly fields: object };

const HTTP = /^(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|CONNECT|TRACE|PRI) \S+ HTTP\/\d/;

/**
 * One client: bytes in, answers out. Knows no socket; it is fed chunks and writes through a `Transport`.
 * Requests without `id` are taken one after the other, as the original did, so that a `check` sees the `run` before it;
 * those with one are taken at once and answered when their answer is ready.
 */
export class Connection {
  /** What the client may do; null: it has to say hello first. */
  role: Role | null;
  readonly name: string;
  readonly #transport: Transport;
  readonly #answer: Answerer;
  readonly #limits: Limits;
  readonly #framer: LineFramer;
  readonly #ordered: Ordered[] = [];
  #orderedBusy = false;
  /** Lines that wait until fewer requests are in progress. */
  #backlog: Buffer[] = [];
  #inProgress = 0;
  #out: Buffer[] = [];
  #outBytes = 0;
  #writing = false;
  #paused = false;
  #first = true;
  #state: 'open' | 'input-ended' | 'ending' | 'closed' = 'open';
  readonly #closing = new AbortController();
  readonly #drained = new Set<() => void>();

  constructor(options: {
    name: string;
    role: Role | null;
    limits: Limits;
    transport: Transport;
    answer: Answerer;
  }) {
    this.name = options.name;
    this.role = options.role;
    this.#transport = options.transport;
    this.#answer = options.answer;
    this.#limits = options.limits;
    this.#framer = new LineFramer(options.limits.lineBytes);
  }

  /** Aborted when the connection is gone: whatever was done for it alone can stop. */
  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  /** The client's bytes. */
  feed(chunk: Buffer): void {
    if (this.#state !== 'open') return;
    const { lines, tooLong } = this.#framer.push(chunk);
    for (const line of lines) this.#backlog.push(line);
    this.#work();
    if (tooLong) {
      this.#fail(new RocksyError('line_too_long', `A line is longer than ${this.#limits.lineBytes} bytes`));
    }
  }

  /** The client sends no more; what it asked for is still answered. */
  inputEnded(): void {
    if (this.#state === 'open') this.#state = 'input-ended';
    this.#finish();
  }

  /** The connection is gone. */
  lost(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#backlog = [];
    this.#out = [];
    this.#outBytes = 0;
    this.#closing.abort(new RocksyError('internal', 'The client is gone'));
    this.#wake();
  }

  /** Ends the connection after what has been said so far. */
  end(): void {
    if (this.#state === 'closed') return;
    this.#state = 'ending';
    this.#backlog = [];
    this.#finish();
  }

  /** A line that nobody asked for by its own request (events, log data). */
  push(id: RequestId, fields: object): void {
    if (this.#state === 'closed') return;
    this.#send(encodeAnswer(id, fields));
    if (this.#outBytes > this.#limits.pushBytes) {
      this.#fail(new RocksyError('slow_reader', `The client left ${this.#outBytes} bytes unread`));
    }
  }

  /** Resolves when little enough is unsent for more to be pushed, or when the connection is gone. */
  async drained(): Promise<void> {
    while (this.#state !== 'closed' && this.#outBytes > this.#limits.unreadBytes) {
      await new Promise<void>((resolve) => this.#drained.add(resolve));
    }
  }

  #work(): void {
    let taken = 0;
    while (
      taken < this.#backlog.length &&
      !this.#crowded &&
      this.#state !== 'closed' &&
      this.#state !== 'ending'
    ) {
      const line = this.#backlog[taken++];
      if (line !== undefined) this.#take(line);
    }
    if (taken > 0) this.#backlog.splice(0, taken);
    const pause = this.#backlog.length > 0;
    if (pause !== this.#paused && this.#state === 'open') {
      this.#paused = pause;
      if (pause) this.#transport.pause();
      else this.#transport.resume();
    }
  }

  /** Too much is in progress or unread for more requests to be taken from this client. */
  get #crowded(): boolean {
    return this.#inProgress >= this.#limits.pipelined || this.#outBytes > this.#limits.unreadBytes;
  }

  #take(line: Buffer): void {
    if (this.#first) {
      this.#first = false;
      if (HTTP.test(line.subarray(0, 4096).toString('latin1'))) {
        return this.#fail(
          new RocksyError('http', 'This is not an HTTP server', { hint: 'see docs/wire.md' }),
        );
      }
    }
    this.#inProgress++;
    const taken = read(line);
    if ('request' in taken && taken.request.id !== undefined) void this.#respond(taken);
    else {
      this.#ordered.push(taken);
      if (!this.#orderedBusy) void this.#inTurn();
    }
  }

  async #inTurn(): Promise<void> {
    this.#orderedBusy = true;
    for (let next = this.#ordered.shift(); next !== undefined; next = this.#ordered.shift())
      await this.#respond(next);
    this.#orderedBusy = false;
  }

  async #respond(taken: Ordered): Promise<void> {
    const id = 'request' in taken ? taken.request.id : undefined;
    const fields = 'request' in taken ? await this.#answer(taken.request, this) : taken.fields;
    this.#inProgress--;
    if (fields !== null) this.#send(encodeAnswer(id, fields));
    this.#work();
    this.#finish();
  }

  #send(bytes: Buffer): void {
    if (this.#state === 'closed' || bytes.length === 0) return;
    this.#out.push(bytes);
    this.#outBytes += bytes.length;
    if (!this.#writing) this.#flush();
  }

  #flush(): void {
    const [first] = this.#out;
    if (first === undefined) return;
    const bytes = this.#out.length === 1 ? first : Buffer.concat(this.#out);
    this.#out = [];
    this.#writing = true;
    this.#transport.write(bytes, () => {
      this.#writing = false;
      this.#outBytes -= bytes.length;
      this.#flush();
      if (this.#outBytes <= this.#limits.unreadBytes) this.#wake();
      this.#work();
      this.#finish();
    });
  }

  #wake(): void {
    for (const resume of this.#drained) resume();
    this.#drained.clear();
  }

  /** Says why, then closes this connection; nobody else's is touched. */
  #fail(error: RocksyError): void {
    if (this.#state === 'closed' || this.#state === 'ending') return;
    this.#send(encodeAnswer(undefined, { ...errorFields(error), error_text: error.message }));
    this.#ordered.length = 0;
    this.end();
  }

  #finish(): void {
    if (this.#state !== 'ending' && this.#state !== 'input-ended') return;
    const owed = this.#state === 'input-ended' && this.#inProgress + this.#backlog.length > 0;
    if (owed || this.#writing || this.#outBytes > 0) return;
    this.#transport.end();
  }
}

function read(line: Buffer): Ordered {
  try {
    return { request: parseLine(line) };
  } catch (error) {
    if (!(error instanceof RocksyError)) throw error;
    return { fields: error.code === 'invalid_json' ? ORIGINAL.invalidJson : errorFields(error) };
  }
}
