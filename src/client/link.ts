import { type RequestName, RocksyError } from '../wire/index.ts';
import type { AnswerFields } from './answer.ts';
import { type Connection, encodeRequest } from './connection.ts';
import { type Dialer, isPassing } from './dialer.ts';
import { ConnectionError } from './errors.ts';

/** A request, and what its loss on the way means. */
export interface Call {
  readonly name: RequestName;
  /** Asked anew for each sending, because what is left of a time limit shrinks. */
  readonly fields: () => object;
  /**
   * When the connection is lost before the answer: `repeat` sends it again, `fail` rejects since the daemon may have
   * done it, `done` is for the request whose purpose is to lose the connection.
   */
  readonly onLoss: 'repeat' | 'fail' | 'done';
}

export interface Reply {
  readonly fields: AnswerFields;
  /** Whether the request was sent more than once: its effect may be that of an earlier time. */
  readonly repeated: boolean;
}

interface Pending {
  readonly call: Call;
  /** How long the line was that is on the way; null while it waits for a connection. */
  sentLength: number | null;
  sendings: number;
  settle(result: Reply | { readonly error: unknown }): void;
}

type State =
  | { readonly name: 'idle' }
  | { readonly name: 'dialling'; readonly abort: AbortController }
  | { readonly name: 'open'; readonly connection: Connection }
  | { readonly name: 'closed' };

/** A request that was on the way so often when the connection broke is probably what breaks it. */
const MAX_SENDINGS = 5;

/**
 * Requests in, answers out, over one connection at a time. It connects when there is something to ask, holds the
 * process only while something is open, and after a loss sends again what may be sent again.
 */
export class Link {
  readonly #dialer: Dialer;
  readonly #maxQueued: number;
  readonly #pending = new Map<number, Pending>();
  #state: State = { name: 'idle' };
  #lastId = 0;

  constructor(dialer: Dialer, maxQueued: number) {
    this.#dialer = dialer;
    this.#maxQueued = maxQueued;
  }

  /** Resolves with the answer; rejects with the daemon's `RocksyError`, a `ConnectionError`, or the signal's reason. */
  request(call: Call, signal?: AbortSignal): Promise<Reply> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#state.name === 'closed') return Promise.reject(this.#error('closed', 'The client is closed'));
    if (this.#state.name !== 'open' && this.#pending.size >= this.#maxQueued) {
      const message = `${this.#maxQueued} requests are waiting for a connection already`;
      return Promise.reject(this.#error('queue_full', message));
    }
    const id = ++this.#lastId;
    return new Promise<Reply>((resolve, reject) => {
      const abandon = () => this.#settle(id, { error: signal?.reason });
      signal?.addEventListener('abort', abandon, { once: true });
      this.#pending.set(id, {
        call,
        sentLength: null,
        sendings: 0,
        settle: (result) => {
          signal?.removeEventListener('abort', abandon);
          if ('error' in result) reject(result.error);
          else resolve(result);
        },
      });
      if (this.#state.name === 'open') this.#send(this.#state.connection, id);
      else if (this.#state.name === 'idle') void this.#serve();
    });
  }

  close(): void {
    const state = this.#state;
    this.#state = { name: 'closed' };
    if (state.name === 'open') state.connection.close();
    if (state.name === 'dialling') state.abort.abort();
    this.#rejectAll(this.#error('closed', 'The client was closed before the answer came'));
  }

  /** Connects, sends, reads until the connection ends, and so on while anybody waits for an answer. */
  async #serve(): Promise<void> {
    while (this.#pending.size > 0 && !this.#isClosed()) {
      using connection = await this.#dial();
      if (connection === null || this.#isClosed()) continue;
      this.#state = { name: 'open', connection };
      for (const id of this.#pending.keys()) this.#send(connection, id);
      const loss = await this.#readToEnd(connection);
      if (this.#isClosed()) return;
      // Not idle: whoever asks from now on is served by this loop.
      this.#state = { name: 'dialling', abort: new AbortController() };
      this.#sortOut(loss);
    }
    if (!this.#isClosed()) this.#state = { name: 'idle' };
  }

  /** Null when there is no connection: everybody who waited has been told, or nobody waits any more. */
  async #dial(): Promise<Connection | null> {
    const abort = new AbortController();
    this.#state = { name: 'dialling', abort };
    try {
      return await this.#dialer.dial(abort.signal);
    } catch (error) {
      if (!abort.signal.aborted) this.#rejectAll(error);
      return null;
    }
  }

  /** Returns why the connection ended: null when it just did. */
  async #readToEnd(connection: Connection): Promise<unknown> {
    try {
      for await (const incoming of connection) {
        if (incoming.kind === 'push') continue;
        if (incoming.id > this.#lastId) {
          throw this.#error('protocol', `The daemon answers request ${incoming.id}, which nobody made`);
        }
        const repeated = (this.#pending.get(incoming.id)?.sendings ?? 0) > 1;
        // An id that is not pending any more is that of an abandoned request.
        if (incoming.kind === 'refusal') this.#refuse(incoming.id, incoming.error, repeated);
        else this.#settle(incoming.id, { fields: incoming.fields, repeated });
        if (this.#pending.size === 0) connection.release();
      }
      return null;
    } catch (error) {
      return error;
    }
  }

  #refuse(id: number, error: RocksyError, repeated: boolean): void {
    // The first sending freed it, its answer was lost, and now there is nothing left to free.
    const freedBefore = repeated && error.code === 'not_found' && this.#pending.get(id)?.call.name === 'free';
    this.#settle(id, freedBefore ? { fields: {}, repeated } : { error });
  }

  /** After a loss: decides for each request that was on the way whether it goes again. */
  #sortOut(loss: unknown): void {
    const guilty =
      loss instanceof RocksyError && loss.code === 'line_too_long' ? this.#longestSent() : undefined;
    const hopeless = guilty === undefined && loss !== null && !isPassing(loss);
    for (const [id, { call, sentLength, sendings }] of this.#pending) {
      if (hopeless || id === guilty) this.#settle(id, { error: loss });
      else if (sentLength === null) continue;
      else if (call.onLoss === 'done') this.#settle(id, { fields: {}, repeated: false });
      else if (call.onLoss === 'fail' || sendings >= MAX_SENDINGS)
        this.#settle(id, { error: this.#lost(call, sendings, loss) });
      else this.#requeue(id);
    }
  }

  #requeue(id: number): void {
    const pending = this.#pending.get(id);
    if (pending !== undefined) pending.sentLength = null;
  }

  /** Whatever else was over the daemon's limit of a line, the longest certainly was. */
  #longestSent(): number | undefined {
    let longest: { id: number; length: number } | undefined;
    for (const [id, { sentLength: length }] of this.#pending) {
      if (length !== null && length > (longest?.length ?? 0)) longest = { id, length };
    }
    return longest?.id;
  }

  #send(connection: Connection, id: number): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    let line: string;
    try {
      line = encodeRequest(pending.call.name, id, pending.call.fields());
    } catch (error) {
      this.#settle(id, { error });
      return;
    }
    pending.sentLength = line.length;
    pending.sendings++;
    connection.hold();
    connection.send(line);
  }

  #settle(id: number, result: Reply | { readonly error: unknown }): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    pending.settle(result);
    if (this.#pending.size > 0) return;
    if (this.#state.name === 'dialling') this.#state.abort.abort();
    if (this.#state.name === 'open') this.#state.connection.release();
  }

  #rejectAll(error: unknown): void {
    for (const id of [...this.#pending.keys()]) this.#settle(id, { error });
  }

  #isClosed(): boolean {
    return this.#state.name === 'closed';
  }

  #lost(call: Call, sendings: number, cause: unknown): ConnectionError {
    const what =
      call.onLoss === 'fail'
        ? `The connection was lost before '${call.name}' was answered: the daemon may have done it or not`
        : `The connection was lost ${sendings} times before '${call.name}' was answered`;
    return new ConnectionError('lost', what, this.#dialer.addresses, cause ?? undefined);
  }

  #error(reason: 'closed' | 'queue_full' | 'protocol', message: string): ConnectionError {
    return new ConnectionError(reason, message, this.#dialer.addresses);
  }
}
