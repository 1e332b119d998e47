import { Worker } from 'node:worker_threads';
import { RocksyError } from '../../wire/index.ts';
import { errorOf } from './error.ts';
import type { Failure } from './failure.ts';
import type { FromThread, Op, Reply, Results, ThreadData, ToThread } from './messages.ts';

export type JournalLog = (level: 'info' | 'warn' | 'error', message: string, fields?: object) => void;

export interface TurnLimits {
  /** What may wait to be written; beyond it new things are refused. */
  readonly maxPending: number;
  readonly maxPendingBytes: number;
}

/** One transaction's worth: so much is written while the others wait. */
const TURN_OPS = 4000;
const TURN_BYTES = 16 * 1024 * 1024;

interface Waiting {
  readonly op: Op;
  readonly bytes: number;
  settle(reply: Reply): void;
}

type State =
  | { readonly state: 'open' }
  | { readonly state: 'closing' }
  | { readonly state: 'dead'; readonly error: RocksyError };

/**
 * The main thread's end of the journal thread. What comes in during one turn of the event loop, and while a commit is
 * under way, is sent as one message and becomes one commit.
 */
export class Turns {
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #path: string;
  readonly #limits: TurnLimits;
  readonly #log: JournalLog;
  readonly #onFatal: (error: RocksyError) => void;
  #state: State = { state: 'open' };
  #queue: Waiting[] = [];
  #queuedBytes = 0;
  #inFlight: Waiting[] = [];
  #next: NodeJS.Immediate | null = null;
  #drained: (() => void) | null = null;
  #lastFailure: Failure | null = null;

  private constructor(worker: Worker, path: string, parts: TurnsParts) {
    this.#worker = worker;
    this.#path = path;
    this.#limits = parts.limits;
    this.#log = parts.log;
    this.#onFatal = parts.onFatal;
    this.#exited = new Promise((resolve) => {
      worker.once('exit', (code) => {
        this.#die(`it ended with ${code}`);
        resolve();
      });
    });
    worker.on('error', (error) => this.#die(error instanceof Error ? error.message : String(error)));
    worker.on('message', (message: FromThread) => this.#hear(message));
  }

  /** Starts the thread and lets it open the database. Throws what the thread says against it. */
  static async start(data: ThreadData, parts: TurnsParts): Promise<Turns> {
    // The build rewrites import specifiers, not URLs: the thread's file has the extension that this one has.
    const program = import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js';
    const worker = new Worker(new URL(program, import.meta.url), {
      name: 'rocksy-journal',
      workerData: data,
    });
    await new Promise<void>((resolve, reject) => {
      worker.once('message', (message: FromThread) => {
        if (message.type === 'refused') reject(errorOf(message.failure));
        else resolve();
      });
      worker.once('error', (cause) =>
        reject(
          new RocksyError('state_unwritable', `${data.path}: the journal's thread did not start`, { cause }),
        ),
      );
    });
    worker.removeAllListeners('error');
    parts.onThread?.(worker);
    return new Turns(worker, data.path, parts);
  }

  /** How many Ops have not been answered. */
  get pending(): number {
    return this.#queue.length + this.#inFlight.length;
  }

  /** Resolves when the Op is committed. */
  submit<O extends Op>(op: O, { bytes = 0 }: { bytes?: number } = {}): Promise<Results[O['op']]> {
    const { promise, resolve, reject } = Promise.withResolvers<Results[O['op']]>();
    const refusal = this.#refusal();
    if (refusal !== null) {
      reject(refusal);
      return promise;
    }
    this.#queue.push({
      op,
      bytes,
      settle: (reply) => {
        // Replies stand in the order of the Ops, so this result is of this Op's kind.
        if (reply.ok) resolve(reply.result as Results[O['op']]);
        else reject(errorOf(reply.failure));
      },
    });
    this.#queuedBytes += bytes;
    this.#schedule();
    return promise;
  }

  /** Takes nothing more, and resolves when everything that waits has been answered. */
  async drain(): Promise<void> {
    if (this.#state.state === 'dead') return;
    this.#state = { state: 'closing' };
    if (this.pending === 0) return;
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
      this.#schedule();
    });
  }

  /** Ends the thread, after `drain`. */
  async end(): Promise<void> {
    this.#worker.postMessage({ type: 'close' } satisfies ToThread);
    await this.#exited;
  }

  #refusal(): RocksyError | null {
    if (this.#state.state === 'dead') return this.#state.error;
    if (this.#state.state === 'closing') return new RocksyError('state_unwritable', 'The journal is closed');
    if (this.#queue.length < this.#limits.maxPending && this.#queuedBytes < this.#limits.maxPendingBytes)
      return null;
    return new RocksyError(
      'state_unwritable',
      `${this.#path}: ${this.#queue.length} writes (${this.#queuedBytes} bytes) wait already`,
      { hint: 'the disk does not keep up: ask again later' },
    );
  }

  // An immediate and not a microtask: it comes after the whole poll phase, so what many connections brought is together.
  #schedule(): void {
    if (this.#inFlight.length > 0) return;
    this.#next ??= setImmediate(() => this.#send());
  }

  #send(): void {
    this.#next = null;
    if (this.#queue.length === 0 || this.#state.state === 'dead') return;
    let count = 0;
    let bytes = 0;
    while (count < TURN_OPS && bytes < TURN_BYTES) {
      const waiting = this.#queue[count];
      if (waiting === undefined) break;
      bytes += waiting.bytes;
      count++;
    }
    this.#inFlight = count === this.#queue.length ? this.#queue : this.#queue.slice(0, count);
    this.#queue = this.#queue.slice(count);
    this.#queuedBytes -= bytes;
    this.#worker.postMessage({ type: 'turn', ops: this.#inFlight.map(({ op }) => op) } satisfies ToThread);
  }

  #hear(message: FromThread): void {
    if (message.type !== 'committed' && message.type !== 'failed') return;
    this.#noteFailure(message.type === 'failed' ? message.failure : null);
    const answered = this.#inFlight;
    this.#inFlight = [];
    const failed: Reply | null = message.type === 'failed' ? { ok: false, failure: message.failure } : null;
    answered.forEach((waiting, i) => {
      const reply = failed ?? (message.type === 'committed' ? message.replies[i] : undefined);
      if (reply !== undefined) waiting.settle(reply);
    });
    // What the answers set going shares the next commit: see #schedule.
    if (this.#queue.length === 0) this.#drained?.();
    else this.#schedule();
  }

  /** Said once when it begins and once when it is over, not with each of thousands of requests. */
  #noteFailure(failure: Failure | null): void {
    if (failure !== null && failure.message !== this.#lastFailure?.message) {
      this.#log('error', `The journal can't be written: ${failure.message}`, failure);
    }
    if (failure === null && this.#lastFailure !== null)
      this.#log('info', `${this.#path} can be written again`);
    this.#lastFailure = failure;
  }

  #die(reason: string): void {
    if (this.#state.state === 'dead') return;
    const expected = this.#state.state === 'closing' && this.pending === 0;
    const failure: Failure = {
      code: 'state_unwritable',
      message: `${this.#path}: the journal's thread is gone (${reason})`,
      hint: 'the worker of rocksyd must be started again; runs go on meanwhile',
    };
    const error = errorOf(failure);
    this.#state = { state: 'dead', error };
    if (this.#next !== null) clearImmediate(this.#next);
    const left = [...this.#inFlight, ...this.#queue];
    this.#inFlight = [];
    this.#queue = [];
    this.#queuedBytes = 0;
    for (const waiting of left) waiting.settle({ ok: false, failure });
    this.#drained?.();
    if (expected) return;
    this.#log('error', error.message, failure);
    this.#onFatal(error);
  }
}

export interface TurnsParts {
  readonly limits: TurnLimits;
  readonly log: JournalLog;
  readonly onFatal: (error: RocksyError) => void;
  readonly onThread?: ((worker: Worker) => void) | undefined;
}
