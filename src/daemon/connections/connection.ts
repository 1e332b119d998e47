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
  /** The connection is about to end: it is cut off where the client does not take the rest of it in time. */
  expire(): void;
  /** Ends the connection after what was written. */
  end(): void;
}

/** What answers the requests of a connection. */
export type Answerer = (request: RawRequest, connection: Connection, task: Task) => Promise<object | null>;

/** A request while it is being answered, or for as long as it goes on. */
export interface Task {
  readonly name: string;
  /** Where a former process got to with it; null: it begins here. */
  readonly resumed: object | null;
  /** It is in progress, and could not be gone on with elsewhere: it has to end before a takeover. */
  readonly isShort: boolean;
  /** From now on another process could go on with it from what `progress` (for JSON) says then. */
  handOver(progress: () => object): void;
}

/** What another process needs to go on with a request. */
export interface SavedTask {
  readonly line: string;
  readonly progress: object;
  /** It has had its answer, and goes on (a subscription). */
  readonly answered: boolean;
}

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

class RunningTask implements Task {
  readonly request: RawRequest;
  readonly resumed: object | null;
  progress: (() => object) | null = null;
  answered = false;

  constructor(request: RawRequest, resumed: object | null) {
    this.request = request;
    this.resumed = resumed;
  }

  get name(): string {
    return this.request.name;
  }

  get isShort(): boolean {
    return !this.answered && this.progress === null;
  }

  handOver(progress: () => object): void {
    this.progress = progress;
  }
}

const HTTP = /^(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|CONNECT|TRACE|PRI) \S+ HTTP\/\d/;

/** Requests of one connection that are taken in one turn of the event loop: others are served in between. */
const TURN_REQUESTS = 16;
const LINE_END = Buffer.from('\n');
const NO_LINES: readonly Buffer[] = [];
/** Input is cut into lines in such pieces, so that a chunk of line ends does not become as many objects at once. */
const PIECE_BYTES = 4_096;
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
  readonly #framer: LineFramer;
  readonly #input: Buffer[] = [];
  #inputBytes = 0;
  #lines: readonly Buffer[] = NO_LINES;
  #nextLine = 0;
  #tooLong = false;
  readonly #ordered: Taken[] = [];
  #orderedBusy = false;
  /** What is being answered, and what goes on after its answer. */
  readonly #tasks = new Set<RunningTask>();
  readonly #goesOn = new Set<RunningTask>();
  /** No line is taken for the time being. */
  #suspended = false;
  #inProgress = 0;
  #inProgressBytes = 0;
  #takenThisTurn = 0;
  #out: Buffer[] = [];
  #outBytes = 0;
  /** The one write that is under way. */
  #flight: Buffer | null = null;
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
    this.#framer = new LineFramer(options.limits.lineBytes);
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
    this.#tooLong = saved.tooLong;
    this.#restored = { saved, output };
    if (input.length > 0) this.#input.push(input);
    this.#inputBytes = input.length;
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
    for (const { line, progress, answered } of saved.tasks) {
      const bytes = line.length;
      const request = parseLine(Buffer.from(line));
      if (!answered) {
        this.#inProgress++;
        this.#inProgressBytes += bytes;
      }
      const task = new RunningTask(request, progress);
      task.answered = answered;
      if (request.id === undefined && !answered) {
        this.#orderedBusy = true;
        void this.#respond({ request, bytes }, task).then(() => this.#inTurn());
      } else void this.#respond({ request, bytes }, task);
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
      !this.#tooLong &&
      this.#outBytes === 0 &&
      !this.#hasInput &&
      this.#framer.rest.length === 0 &&
      this.#restored === null
    );
  }

  /** All there is to go on with in another process. @param unsent of the write in flight, bytes that have not left */
  save(unsent: number): { readonly saved: SavedConnection; readonly pieces: readonly Buffer[] } {
    const input = this.#unread();
    const flight = this.#flight;
    const output = [...(flight === null ? [] : [flight.subarray(flight.length - unsent)]), ...this.#out];
    const restored = this.#restored;
    if (restored !== null) output.unshift(restored.output);
    const saved: SavedConnection = {
      role: this.role,
      first: this.#first,
      tooLong: this.#tooLong,
      state: restored?.saved.state ?? this.#savedState,
      tasks: restored?.saved.tasks ?? [...this.#tasks].map(savedTask),
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
    const waiting = this.#ordered.map((taken) =>
      'request' in taken ? Buffer.from(lineOf(taken.request)) : taken.line,
    );
    const lines = [...waiting, ...this.#lines.slice(this.#nextLine)];
    return [...lines.flatMap((line) => [line, LINE_END]), this.#framer.rest, ...this.#input];
  }

  /** The client's bytes. */
  feed(chunk: Buffer): void {
    if (this.#state !== 'open') return;
    this.#input.push(chunk);
    this.#inputBytes += chunk.length;
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
    this.#dropInput();
    this.#out = [];
    this.#outBytes = 0;
    this.#closing?.abort(clientGone());
    this.#wake();
  }

  /** Ends the connection after what has been said so far. */
  end(): void {
    if (!this.#isListening) return;
    this.#state = 'ending';
    this.#dropInput();
    this.#transport.expire();
    this.#finish();
  }

  /** A line that nobody asked for by its own request (events). */
  push(id: RequestId, fields: object): void {
    if (!this.#isListening) return;
    this.#send(encodeAnswer(id, fields));
    if (this.#outBytes <= this.#limits.pushBytes) return;
    const error = new RocksyError('slow_reader', `The client left ${this.#outBytes} bytes unread`);
    // All but what is being written: the memory is wanted back.
    for (const unsent of this.#out) this.#outBytes -= unsent.length;
    this.#out = [];
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
    return this.#state !== 'closed' && this.#outBytes > this.#limits.unreadBytes;
  }

  /** Too much is in progress or unread for more requests to be taken from this client. */
  get #isCrowded(): boolean {
    return (
      this.#inProgress >= this.#limits.pipelined ||
      this.#inProgressBytes >= this.#limits.lineBytes ||
      this.#isUnread
    );
  }

  get #hasInput(): boolean {
    return this.#nextLine < this.#lines.length || this.#input.length > 0;
  }

  /** Takes what requests may be taken now. */
  #work(): void {
    while (this.#isListening && !this.#suspended && !this.#isCrowded && this.#takenThisTurn < TURN_REQUESTS) {
      const line = this.#line();
      if (line === null) break;
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

  /** The next line of what has come in; null when there is none that is whole. */
  #line(): Buffer | null {
    for (;;) {
      const line = this.#lines[this.#nextLine];
      if (line !== undefined) {
        this.#nextLine++;
        // Nothing of the chunk is kept while the client is idle: a line is a view of the whole of it.
        if (this.#nextLine === this.#lines.length) {
          this.#lines = NO_LINES;
          this.#nextLine = 0;
        }
        return line;
      }
      if (this.#tooLong) {
        const { lineBytes } = this.#limits;
        this.#fail(new RocksyError('line_too_long', `A line is longer than ${lineBytes} bytes`));
        return null;
      }
      const piece = this.#piece();
      if (piece === null) return null;
      const { lines, tooLong } = this.#framer.push(piece);
      this.#lines = lines;
      this.#nextLine = 0;
      this.#tooLong = tooLong;
    }
  }

  #piece(): Buffer | null {
    const [chunk] = this.#input;
    if (chunk === undefined) return null;
    const piece = chunk.subarray(0, PIECE_BYTES);
    if (piece.length < chunk.length) this.#input[0] = chunk.subarray(PIECE_BYTES);
    else this.#input.shift();
    this.#inputBytes -= piece.length;
    return piece;
  }

  #dropInput(): void {
    this.#input.length = 0;
    this.#inputBytes = 0;
    this.#lines = [];
    this.#nextLine = 0;
  }

  #adjustReading(): void {
    if (this.#state !== 'open') return;
    const pause = (this.#isCrowded && this.#hasInput) || this.#inputBytes > MAX_INPUT_BYTES;
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
      if (!this.#goesOn.has(task)) this.#tasks.delete(task);
    }
    this.#work();
    this.#finish();
  }

  /** A request that goes on after its answer, until the function that is returned is called. */
  goesOn(task: Task): () => void {
    const running = task as RunningTask;
    this.#goesOn.add(running);
    return () => {
      this.#goesOn.delete(running);
      if (running.answered) this.#tasks.delete(running);
    };
  }

  #send(bytes: Buffer): void {
    if (this.#state === 'closed' || this.#state === 'ended' || bytes.length === 0) return;
    this.#out.push(bytes);
    this.#outBytes += bytes.length;
    if (this.#flight === null) this.#flush();
  }

  #flush(): void {
    const [first] = this.#out;
    if (first === undefined) return;
    const bytes = this.#out.length === 1 ? first : Buffer.concat(this.#out);
    this.#out = [];
    this.#flight = bytes;
    this.#transport.write(bytes, () => {
      if (this.#state === 'closed') return;
      this.#flight = null;
      this.#outBytes -= bytes.length;
      this.#flush();
      this.#wake();
      this.#work();
      this.#finish();
    });
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
    const owed = this.#state === 'input-ended' && (this.#inProgress > 0 || this.#hasInput);
    if (owed || this.#flight !== null || this.#outBytes > 0) return;
    this.#state = 'ended';
    this.#transport.end();
  }
}

/** The request as a line again; what was left out means nothing. */
function lineOf({ name, text }: RawRequest): string {
  return `${name} ${text}`;
}

function savedTask({ request, progress, answered }: RunningTask): SavedTask {
  return { line: lineOf(request), progress: progress?.() ?? {}, answered };
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
