import {
  encodeAnswer,
  errorFields,
  ORIGINAL,
  parseLine,
  type RawRequest,
  type RequestId,
  RocksyError,
} from '../../wire/index.ts';
import type { Limits, Role } from '../config/index.ts';
import { Input } from './input.ts';
import { Output, type Sink } from './output.ts';
import { lineOf, RunningTask, type SavedTask, type Task } from './task.ts';

/** What carries a connection's bytes. */
export interface Transport extends Sink {
  pause(): void;
  resume(): void;
  /** The connection is about to end: it is cut off where the client does not take the rest of it in time. */
  expire(): void;
  /** Ends the connection after what was written. */
  end(): void;
}

/** What answers the requests of a connection. */
export type Answerer = (request: RawRequest, connection: Connection, task: Task) => Promise<object | null>;

/** A connection without its bytes, which lie behind it: first the input, then the output. */
export interface SavedConnection {
  readonly role: Role | null;
  readonly first: boolean;
  /** Behind the input that is kept came a line that was too long. */
  readonly tooLong: boolean;
  readonly state: 'open' | 'ending' | 'ended';
  readonly tasks: readonly SavedTask[];
  readonly inputBytes: number;
  readonly outputBytes: number;
}

/** A line as it was taken: a request, or what is to be said of a line that was none. */
type Taken = { readonly bytes: number } & (
  | { readonly request: RawRequest }
  | { readonly fields: object; readonly line: Buffer }
);

/** What a connection was restored from and has not gone on with yet. */
interface Restored {
  readonly saved: SavedConnection;
  readonly output: Buffer;
}

const HTTP = /^(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|CONNECT|TRACE|PRI) \S+ HTTP\/\d/;

/** Requests of one connection that are taken in one turn of the event loop: others are served in between. */
const TURN_REQUESTS = 16;
const LINE_END = Buffer.from('\n');
/** Input that waits to be cut into lines; beyond it the client is not read from. */
const MAX_INPUT_BYTES = 262_144;

/**
 * open: the client may ask · input-ended: it asks no more, and is owed answers · ending: it is owed what was said so
 * far · ended: our side is closed · closed: the connection is gone.
 */
type State = 'open' | 'input-ended' | 'ending' | 'ended' | 'closed';

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
  readonly #input: Input;
  readonly #output: Output;
  readonly #ordered: Taken[] = [];
  #orderedBusy = false;
  /** What is being answered, and what goes on after its answer. */
  readonly #tasks = new Set<RunningTask>();
  /** No line is taken for the time being. */
  #suspended = false;
  #inProgress = 0;
  #inProgressBytes = 0;
  #takenThisTurn = 0;
  #restored: Restored | null = null;
  #paused = false;
  #first = true;
  #state: State = 'open';
  /** Made when somebody asks for its signal. */
  #closing: AbortController | null = null;
  /** What waits until little enough is unsent. */
  readonly #waiting: (() => void)[] = [];

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
    this.#input = new Input(options.limits.lineBytes);
    this.#output = new Output(options.transport, () => this.#onLeft());
  }

  /** Aborted when the connection is gone: whatever was done for it alone can stop. */
  get closed(): AbortSignal {
    this.#closing ??= new AbortController();
    if (this.#state === 'closed') this.#closing.abort(clientGone());
    return this.#closing.signal;
  }

  /** Goes on where a former process was, with a connection that has been suspended and fed nothing. */
  restore(saved: SavedConnection, input: Buffer, output: Buffer): void {
    this.role = saved.role;
    this.#first = saved.first;
    this.#restored = { saved, output };
    this.#input.restore(input, saved.tooLong);
  }

  /** Takes no more lines until `resume`; what was taken goes on. */
  suspend(): void {
    this.#suspended = true;
  }

  get isSuspended(): boolean {
    return this.#suspended;
  }

  resume(): void {
    if (!this.#suspended) return;
    this.#suspended = false;
    const restored = this.#restored;
    this.#restored = null;
    if (restored !== null) this.#goOn(restored);
    if (!this.#orderedBusy) void this.#inTurn();
    this.#work();
    this.#finish();
  }

  #goOn({ saved, output }: Restored): void {
    this.#send(output);
    if (saved.state === 'ended') {
      // Our side may not have been shut yet when everything stood still.
      this.#state = 'ended';
      this.#transport.end();
    }
    if (saved.state === 'ending') this.end();
    if (saved.state !== 'open') return;
    for (const task of saved.tasks.map(RunningTask.restore)) {
      const { request, answered } = task;
      const bytes = request.text.length;
      if (!answered) {
        this.#inProgress++;
        this.#inProgressBytes += bytes;
      }
      const responding = this.#respond({ request, bytes }, task);
      if (request.id !== undefined || answered) continue;
      this.#orderedBusy = true;
      void responding.then(() => this.#inTurn());
    }
  }

  shortTasks(): Task[] {
    return [...this.#tasks].filter(({ isShort }) => isShort);
  }

  /** Whether everything that is in progress could go on in another process as it is now. */
  get isReadyToGo(): boolean {
    for (const { progress } of this.#tasks) if (progress === null) return false;
    return true;
  }

  /** It was restored, and is told of things as they happen: not to go on with it is to miss them. */
  get isTold(): boolean {
    return this.#restored?.saved.tasks.some(({ answered }) => answered) ?? false;
  }

  /** Whether it has sent a whole line. */
  get hasSpoken(): boolean {
    return !this.#first;
  }

  /** Nothing is under way, and there is no more to know of it than its role and whether it has spoken. */
  get isIdle(): boolean {
    return (
      this.#state === 'open' &&
      this.#tasks.size === 0 &&
      this.#ordered.length === 0 &&
      this.#output.bytes === 0 &&
      this.#input.isEmpty &&
      this.#restored === null
    );
  }

  /** All there is to go on with in another process. @param unsent of the write in flight, bytes that have not left */
  save(unsent: number): { readonly saved: SavedConnection; readonly pieces: readonly Buffer[] } {
    const restored = this.#restored;
    const input = this.#unread();
    const output = [...(restored === null ? [] : [restored.output]), ...this.#output.unsent(unsent)];
    const saved: SavedConnection = {
      role: this.role,
      first: this.#first,
      tooLong: this.#input.isTooLong,
      state: restored?.saved.state ?? this.#savedState,
      tasks: restored?.saved.tasks ?? [...this.#tasks].map((task) => task.save()),
      inputBytes: totalLength(input),
      outputBytes: totalLength(output),
    };
    return { saved, pieces: [...input, ...output] };
  }

  /** The end of the client's side is read again by whoever reads next. */
  get #savedState(): SavedConnection['state'] {
    return this.#isListening ? 'open' : this.#state === 'ending' ? 'ending' : 'ended';
  }

  /** What the client has sent and nobody has begun to answer, as it was sent. */
  #unread(): Buffer[] {
    if (!this.#isListening) return [];
    const waiting = this.#ordered.flatMap((taken) => [
      'request' in taken ? Buffer.from(lineOf(taken.request)) : taken.line,
      LINE_END,
    ]);
    return [...waiting, ...this.#input.untaken];
  }

  /** The client's bytes. */
  feed(chunk: Buffer): void {
    if (this.#state !== 'open') return;
    this.#input.push(chunk);
    this.#work();
  }

  /** The client sends no more; what it asked for is still answered. */
  inputEnded(): void {
    if (this.#state === 'open') this.#state = 'input-ended';
    this.#finish();
  }

  /** The connection is gone. What has been taken is still done, and heard by nobody. */
  lost(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#input.drop();
    this.#output.dropWaiting();
    this.#closing?.abort(clientGone());
    this.#wake();
  }

  /** Ends the connection after what has been said so far. */
  end(): void {
    if (!this.#isListening) return;
    this.#state = 'ending';
    this.#input.drop();
    this.#transport.expire();
    this.#finish();
  }

  /** A line that nobody asked for by its own request (events). */
  push(id: RequestId, fields: object): void {
    if (!this.#isListening) return;
    this.#send(encodeAnswer(id, fields));
    if (this.#output.bytes <= this.#limits.pushBytes) return;
    const error = new RocksyError('slow_reader', `The client left ${this.#output.bytes} bytes unread`);
    // The memory is wanted back.
    this.#output.dropWaiting();
    this.#fail(error);
  }

  /** As `push`, but when little enough is unsent, which it waits for: for data whose source can wait. */
  async pushInTurn(id: RequestId, fields: object): Promise<void> {
    if (this.#isUnread) {
      // Sent by whoever wakes: of many that wait, each sees what the one before has sent.
      await new Promise<void>((resolve) =>
        this.#waiting.push(() => {
          this.push(id, fields);
          resolve();
        }),
      );
    } else this.push(id, fields);
  }

  get #isListening(): boolean {
    return this.#state === 'open' || this.#state === 'input-ended';
  }

  get #isUnread(): boolean {
    return this.#state !== 'closed' && this.#output.bytes > this.#limits.unreadBytes;
  }

  /** Too much is in progress or unread for more requests to be taken from this client. */
  get #isCrowded(): boolean {
    return (
      this.#inProgress >= this.#limits.pipelined ||
      this.#inProgressBytes >= this.#limits.lineBytes ||
      this.#isUnread
    );
  }

  /** Takes what requests may be taken now. */
  #work(): void {
    while (this.#isListening && !this.#suspended && !this.#isCrowded && this.#takenThisTurn < TURN_REQUESTS) {
      const line = this.#input.next();
      if (line === null) break;
      if (line === 'too long') {
        const { lineBytes } = this.#limits;
        this.#fail(new RocksyError('line_too_long', `A line is longer than ${lineBytes} bytes`));
        break;
      }
      if (this.#takenThisTurn++ === 0) setImmediate(() => this.#nextTurn());
      this.#take(line);
    }
    this.#adjustReading();
  }

  #nextTurn(): void {
    this.#takenThisTurn = 0;
    this.#work();
    this.#finish();
  }

  #adjustReading(): void {
    if (this.#state !== 'open') return;
    const pause = (this.#isCrowded && this.#input.hasMore) || this.#input.uncutBytes > MAX_INPUT_BYTES;
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.#transport.pause();
    else this.#transport.resume();
  }

  #take(line: Buffer): void {
    if (this.#first) {
      this.#first = false;
      if (HTTP.test(line.subarray(0, 4096).toString('latin1'))) {
        this.#fail(new RocksyError('http', 'This is not an HTTP server', { hint: 'see docs/wire.md' }));
        return;
      }
    }
    const taken = read(line);
    this.#inProgress++;
    this.#inProgressBytes += taken.bytes;
    if ('request' in taken && taken.request.id !== undefined) void this.#respond(taken);
    else {
      this.#ordered.push(taken);
      if (!this.#orderedBusy) void this.#inTurn();
    }
  }

  async #inTurn(): Promise<void> {
    this.#orderedBusy = true;
    while (this.#ordered.length > 0) {
      while (this.#isUnread) await new Promise<void>((resolve) => this.#waiting.push(resolve));
      // Suspended meanwhile, it stays where it is: not begun.
      if (this.#suspended) break;
      const next = this.#ordered.shift();
      if (next !== undefined) await this.#respond(next);
    }
    this.#orderedBusy = false;
  }

  async #respond(taken: Taken, resumed?: RunningTask): Promise<void> {
    const isNews = resumed?.answered !== true;
    const task = 'request' in taken ? (resumed ?? new RunningTask(taken.request, null)) : null;
    if (task !== null) this.#tasks.add(task);
    const fields = 'request' in taken && task !== null ? await this.#answer(taken.request, this, task) : null;
    if (isNews) {
      this.#inProgress--;
      this.#inProgressBytes -= taken.bytes;
      if ('fields' in taken) this.#send(encodeAnswer(undefined, taken.fields));
      else if (fields !== null) this.#send(encodeAnswer(taken.request.id, fields));
    }
    // Not before its answer has been put down: until then it is in progress, and everything may stand still now.
    if (task !== null) {
      task.answered = true;
      if (!task.goesOn) this.#tasks.delete(task);
    }
    this.#work();
    this.#finish();
  }

  /** A request that goes on after its answer, until the function that is returned is called. */
  goesOn(task: Task): () => void {
    const running = task as RunningTask;
    running.goesOn = true;
    return () => {
      running.goesOn = false;
      if (running.answered) this.#tasks.delete(running);
    };
  }

  #send(bytes: Buffer): void {
    if (this.#state !== 'closed' && this.#state !== 'ended') this.#output.send(bytes);
  }

  #onLeft(): void {
    if (this.#state === 'closed') return;
    this.#wake();
    this.#work();
    this.#finish();
  }

  #wake(): void {
    while (!this.#isUnread) {
      const wake = this.#waiting.shift();
      if (wake === undefined) return;
      wake();
    }
  }

  /** Says why, then closes this connection; nobody else's is touched. */
  #fail(error: RocksyError): void {
    if (!this.#isListening) return;
    this.#send(encodeAnswer(undefined, { ...errorFields(error), error_text: error.message }));
    this.#ordered.length = 0;
    this.end();
  }

  #finish(): void {
    if (this.#state !== 'ending' && this.#state !== 'input-ended') return;
    const owed = this.#state === 'input-ended' && (this.#inProgress > 0 || this.#input.hasMore);
    if (owed || this.#output.bytes > 0) return;
    this.#state = 'ended';
    this.#transport.end();
  }
}

function totalLength(pieces: readonly Buffer[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

function read(line: Buffer): Taken {
  const bytes = line.length;
  try {
    return { request: parseLine(line), bytes };
  } catch (error) {
    if (!(error instanceof RocksyError)) throw error;
    const fields = error.code === 'invalid_json' ? ORIGINAL.invalidJson : errorFields(error);
    return { fields, bytes, line: Buffer.from(line) };
  }
}

function clientGone(): RocksyError {
  return new RocksyError('internal', 'The client is gone');
}
