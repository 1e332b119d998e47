import { randomUUID } from 'node:crypto';
import type { PoolView, RequestName, RequestNamed, RunView, TakeoverView } from '../wire/index.ts';
import { type Address, defaultAddresses, parseAddress } from './address.ts';
import {
  type LogMatches,
  logBytes,
  matchesOf,
  numberOf,
  pageOf,
  poolsOf,
  runOf,
  type Stats,
} from './answer.ts';
import type { Hello } from './connection.ts';
import { Dialer } from './dialer.ts';
import { type EventFilter, EventStream } from './events.ts';
import { type FollowOptions, follow } from './follow.ts';
import { type Call, Link, type Reply } from './link.ts';

export interface ClientOptions {
  /** Default: `ROCKSY_TOKEN`. */
  readonly token?: string | undefined;
  /** How long to look for a daemon before the first connection ever. Default 0: one attempt. */
  readonly firstPatienceMs?: number;
  /** How long to try to connect again after a loss, while anybody waits. Default 30,000. */
  readonly patienceMs?: number;
  /** Pauses between attempts: they double from the first to the longest. Default 50 and 2,000. */
  readonly backoff?: { readonly firstMs: number; readonly maxMs: number };
  /** How long one attempt may take, until the daemon has said hello. Default 5,000. */
  readonly openTimeoutMs?: number;
  /** How many requests may wait while there is no connection. Default 1,000. */
  readonly maxQueued?: number;
  /** The longest line to take from the daemon. Default 64 MiB. */
  readonly maxLineBytes?: number;
}

export interface CallOptions {
  /** Abandons the request: its promise rejects with the signal's reason. What was sent stays sent. */
  readonly signal?: AbortSignal | undefined;
}

type FieldsOf<N extends RequestName> = Omit<RequestNamed<N>, 'name' | 'key' | 'byHash'>;

/** What to run: the fields of the wire's `run`. Without a `key` it gets a new one. */
export type RunRequest = FieldsOf<'run'> & { readonly key?: string | undefined };

export interface StartedRun {
  /** The key was there before: nothing was started. */
  readonly known: boolean;
  readonly run: RunView;
}

/** A piece of a log. */
export interface LogRange {
  readonly offset: number;
  readonly data: Buffer;
  readonly next_offset: number;
  readonly size: number;
  /** The run has ended and all is read. */
  readonly end: boolean;
}

export interface ReloadedPool {
  readonly name: string;
  readonly generation: number;
}

export interface Restarted {
  readonly takeover: TakeoverView | null;
  /** The pools that were reloaded after it, where that was asked for. */
  readonly pools: readonly ReloadedPool[];
}

/**
 * A client of the daemon at `address`: `unix:/path`, `tcp://host:port`; without one `ROCKSY_SOCKET`, else
 * /run/rocksy/rocksyd.sock, else ./var/rocksyd.sock. It connects with the first request.
 *
 * ```ts
 * await using rocksy = connect();
 * const { run } = await rocksy.run({ class: 'App\\SendMails', params: [{ batch: 7 }] });
 * for await (const chunk of rocksy.follow(run.key)) process.stdout.write(chunk);
 * console.log((await rocksy.wait(run.key)).outcome);
 * ```
 */
export function connect(address?: string, options: ClientOptions = {}): Client {
  const addresses = address === undefined ? defaultAddresses(process.env) : [parseAddress(address)];
  return new Client(addresses, options);
}

export class Client implements AsyncDisposable {
  readonly #dialer: Dialer;
  readonly #link: Link;
  readonly #closing = new AbortController();

  constructor(addresses: readonly Address[], options: ClientOptions) {
    this.#dialer = new Dialer(addresses, {
      token: options.token ?? process.env.ROCKSY_TOKEN,
      firstPatienceMs: options.firstPatienceMs ?? 0,
      patienceMs: options.patienceMs ?? 30_000,
      backoff: options.backoff ?? { firstMs: 50, maxMs: 2000 },
      openTimeoutMs: options.openTimeoutMs ?? 5000,
      maxLineBytes: options.maxLineBytes ?? 64 * 1024 * 1024,
    });
    this.#link = new Link(this.#dialer, options.maxQueued ?? 1000);
  }

  /** Where the daemon is, or where it is looked for as long as none has answered. */
  get addresses(): readonly string[] {
    return this.#dialer.addresses;
  }

  /** Who answers, and what this client may do. */
  async hello(options?: CallOptions & { readonly token?: string }): Promise<Hello> {
    const token = options?.token;
    const { fields } = await this.#repeat('hello', token === undefined ? {} : { token }, options);
    const { version, protocol, pid, role } = fields;
    return {
      version: String(version),
      protocol: Number(protocol),
      pid: Number(pid),
      role: typeof role === 'string' ? role : null,
    };
  }

  /** Starts a run, or tells how the run with this key stands. */
  async run(request: RunRequest, options?: CallOptions): Promise<StartedRun> {
    const key = request.key ?? randomUUID();
    const { fields } = await this.#repeat('run', { ...request, key }, options);
    // A new key that was known is our own first sending, whose answer was lost.
    return { known: request.key !== undefined && fields.known === true, run: runOf(fields) };
  }

  async status(key: string, options?: CallOptions): Promise<RunView> {
    return runOf((await this.#repeat('status', { key }, options)).fields);
  }

  /** Runs, newest first, fetched page by page (`limit`: runs in a page) as they are consumed. */
  async *list(filter: FieldsOf<'list'> & CallOptions = {}): AsyncGenerator<RunView, void, void> {
    const { signal, ...wanted } = filter;
    for (let before: string | null | undefined = wanted.before; before !== null; ) {
      const cursor: object = before === undefined ? {} : { before };
      const page = pageOf((await this.#repeat('list', { ...wanted, ...cursor }, { signal })).fields);
      yield* page.runs;
      before = page.next;
    }
  }

  /** The run, once it has ended. With `timeout_ms` it may reject with `wait_timeout`. */
  async wait(key: string, options: FieldsOf<'wait'> & CallOptions = {}): Promise<RunView> {
    const { timeout_ms: timeoutMs } = options;
    const until = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
    const fields = () =>
      until === undefined ? { key } : { key, timeout_ms: Math.max(0, Math.ceil(until - performance.now())) };
    return runOf((await this.#request({ name: 'wait', fields, onLoss: 'repeat' }, options)).fields);
  }

  /** Whether it has ended (`retcode`), in the manner of the original protocol. */
  async check(
    key: string,
    options?: CallOptions,
  ): Promise<{ readonly run: RunView; readonly retcode: number | null }> {
    const { fields } = await this.#repeat('check', { key }, options);
    return { run: runOf(fields), retcode: numberOf(fields, 'retcode') ?? null };
  }

  /** Sends a signal (`'SIGUSR1'`, `10`) to the run's main process. */
  async signal(key: string, signal: string | number, options?: CallOptions): Promise<void> {
    await this.#once('signal', { key, signal }, options);
  }

  /** Ends a run: SIGTERM, then SIGKILL. Its outcome is `cancelled` if it ends by that. */
  async cancel(key: string, options: FieldsOf<'cancel'> & CallOptions = {}): Promise<RunView> {
    const { signal, ...wanted } = options;
    return runOf((await this.#once('cancel', { key, ...wanted }, { signal })).fields);
  }

  /** SIGTERM, in the manner of the original protocol. */
  async terminate(key: string, options?: CallOptions): Promise<void> {
    await this.#once('terminate', { key }, options);
  }

  /** Forgets an ended run. */
  async free(key: string, options?: CallOptions): Promise<void> {
    await this.#repeat('free', { key }, options);
  }

  /** A piece of a run's log: `length` bytes (at most 256 KiB) from `offset`, negative from the end, or from a time. */
  async logs(key: string, range: Omit<FieldsOf<'logs'>, 'follow'> & CallOptions = {}): Promise<LogRange> {
    const { signal, ...wanted } = range;
    const { fields } = await this.#repeat('logs', { key, ...wanted }, { signal });
    const data = logBytes(fields);
    const offset = numberOf(fields, 'offset') ?? 0;
    return {
      offset,
      data,
      next_offset: numberOf(fields, 'next_offset') ?? offset + data.length,
      size: numberOf(fields, 'size') ?? offset + data.length,
      end: fields.end === true,
    };
  }

  /**
   * Lines of a run's log that hold a literal text, in order. One answer has `limit` of them at most (100 when absent), and
   * comes of 32 MiB of the log at most: there may be more from `next_offset` on, also where it has none.
   */
  async search(
    key: string,
    text: string,
    options: Omit<FieldsOf<'search'>, 'text'> & CallOptions = {},
  ): Promise<LogMatches> {
    const { signal, ...wanted } = options;
    return matchesOf((await this.#repeat('search', { key, text, ...wanted }, { signal })).fields);
  }

  /** The log of a run as it grows, to its end, over a connection of its own. */
  follow(key: string, options: FollowOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    return follow(this.#dialer, key, options, this.#untilClosed(options.signal));
  }

  /** Events as they happen, over a connection of its own. */
  events(filter: EventFilter & CallOptions = {}): EventStream {
    const { signal, ...wanted } = filter;
    return new EventStream(this.#dialer, wanted, this.#untilClosed(signal));
  }

  async pools(options?: CallOptions): Promise<readonly PoolView[]> {
    return poolsOf((await this.#repeat('pools', {}, options)).fields);
  }

  /** New generations of one pool or of all, once they serve. Rejects with `bootstrap_failed` and its `output`. */
  async reload(pool?: string, options?: CallOptions): Promise<readonly ReloadedPool[]> {
    const { fields } = await this.#once('reload', pool === undefined ? {} : { pool }, options);
    return (fields.pools ?? []) as unknown as readonly ReloadedPool[];
  }

  /**
   * Replaces the daemon's code and configuration by what they are now, without losing a connection or a run; resolves when
   * the new version serves. Throws `takeover_refused`, with the new version's output, when it is no good: then nothing
   * has changed. A `takeover` of null: the old version died meanwhile.
   */
  async restart(options: { readonly reload?: boolean } & CallOptions = {}): Promise<Restarted> {
    const { fields } = await this.#once('restart', options.reload === true ? { reload: true } : {}, options);
    const { takeover, pools = [] } = fields as unknown as Restarted;
    return { takeover, pools };
  }

  /** A drained pool takes no new runs until it is switched on again or reloaded. */
  async drain(pool: string, options: { readonly on?: boolean } & CallOptions = {}): Promise<void> {
    await this.#once('drain', { pool, on: options.on ?? true }, options);
  }

  async stats(options?: CallOptions): Promise<Stats> {
    const { id: _id, ok: _ok, ...stats } = (await this.#repeat('stats', {}, options)).fields;
    return stats;
  }

  /** Stops the daemon. */
  async stop(options?: CallOptions): Promise<void> {
    await this.#once('stop', {}, options);
  }

  /** Lets the daemon close the connection. The next request connects again. */
  async bye(options?: CallOptions): Promise<void> {
    await this.#request({ name: 'bye', fields: () => ({}), onLoss: 'done' }, options);
  }

  /** Closes every connection. Whatever is open rejects with a `ConnectionError`. */
  close(): void {
    this.#closing.abort(new DOMException('The client was closed', 'AbortError'));
    this.#link.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #repeat(name: RequestName, fields: object, options?: CallOptions): Promise<Reply> {
    return this.#request({ name, fields: () => fields, onLoss: 'repeat' }, options);
  }

  #once(name: RequestName, fields: object, options?: CallOptions): Promise<Reply> {
    return this.#request({ name, fields: () => fields, onLoss: 'fail' }, options);
  }

  #request(call: Call, options?: CallOptions): Promise<Reply> {
    return this.#link.request(call, options?.signal);
  }

  #untilClosed(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
  }
}
