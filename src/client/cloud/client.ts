import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import {
  type Answer,
  type Input,
  type Operation,
  type OperationName,
  operations,
  type Problem,
} from '../../api/index.ts';
import { type CloudAddress, cloudAddressText, defaultCloudAddress, parseCloudAddress } from './address.ts';
import { CloudError } from './error.ts';
import { type HttpRequest, HttpSender, textOf } from './http.ts';
import { eventsOf } from './sse.ts';

export interface CloudOptions {
  /** Default: `ROCKSY_TOKEN`. Over the cloud's own Unix socket none is needed. */
  readonly token?: string | undefined;
  /**
   * How long to try again when a connection that was there is lost: the cloud is being restarted. Default 15,000. What is
   * sent again is done once: requests carry an Idempotency-Key.
   */
  readonly patienceMs?: number;
}

/** What goes in; what is empty may be left out. */
type Given<N extends OperationName> = (Record<never, never> extends Input<N>['params']
  ? object
  : Pick<Input<N>, 'params'>) &
  (undefined extends Input<N>['body'] ? object : Pick<Input<N>, 'body'>) & {
    readonly query?: Input<N>['query'];
  };

export interface CallMore {
  /** Sent twice with the same key, a request is done once. */
  readonly idempotencyKey?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** Something that has changed (docs/api.md). `id` is where to go on after it. */
export interface CloudEvent {
  readonly kind: string;
  readonly id: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

const BASE = '/api/v1';
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5_000;

/**
 * A client of the cloud's HTTP API at `address` (`http://host:port`, `https://host`, `unix:/path`; without one
 * `ROCKSY_URL`, else the local ones). Every operation of the API, typed by its schemas:
 *
 * ```ts
 * using cloud = connectCloud('https://rocksy.example.com', { token });
 * const run = await cloud.call('triggerJob', { params: { project: 'shop', name: 'report' }, body: { params: [7] } });
 * ```
 */
export function connectCloud(address?: string, options: CloudOptions = {}): CloudClient {
  return new CloudClient(
    address === undefined ? defaultCloudAddress(process.env) : parseCloudAddress(address),
    options,
  );
}

export class CloudClient implements Disposable {
  readonly #address: CloudAddress;
  readonly #sender: HttpSender;
  readonly #token: string | undefined;
  readonly #patienceMs: number;
  #everConnected = false;

  constructor(address: CloudAddress, { token = process.env.ROCKSY_TOKEN, patienceMs }: CloudOptions) {
    this.#patienceMs = patienceMs ?? 15_000;
    this.#address = address;
    this.#sender = new HttpSender(address);
    this.#token = token === '' ? undefined : token;
  }

  get address(): string {
    return cloudAddressText(this.#address);
  }

  /** Throws CloudError. */
  async call<N extends OperationName>(name: N, given: Given<N>, more: CallMore = {}): Promise<Answer<N>> {
    const operation: Operation = operations[name];
    const input = given as { readonly params?: object; readonly query?: object; readonly body?: unknown };
    const response = await this.#send({
      method: operation.method,
      path: `${pathOf(operation.path, input.params ?? {})}${queryOf(input.query ?? {})}`,
      body: operation.body === null ? null : JSON.stringify(input.body ?? {}),
      more: operation.method === 'POST' ? { idempotencyKey: randomUUID(), ...more } : more,
    });
    const text = await textOf(response);
    try {
      return JSON.parse(text) as Answer<N>;
    } catch (cause) {
      throw new CloudError(
        'protocol',
        response.statusCode ?? 0,
        `${this.address} does not answer as a cloud does`,
        undefined,
        { cause },
      );
    }
  }

  /** All pages of a list, fetched as they are consumed. */
  async *all<N extends 'listJobs' | 'listRuns' | 'ledger' | 'audit'>(
    name: N,
    given: Given<N>,
    more: CallMore = {},
  ): AsyncGenerator<Answer<N>['items'][number], void, void> {
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const query = cursor === undefined ? given.query : { ...given.query, cursor };
      const page: Answer<N> = await this.call(name, { ...given, query } as Given<N>, more);
      yield* page.items;
      cursor = page.next;
    }
  }

  /** What changes, from now on; after a loss it goes on where it was. `reset`: something was missed. */
  async *events(
    filter: { readonly kinds?: readonly string[]; readonly project?: string | undefined } = {},
    more: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<CloudEvent, void, void> {
    const query = queryOf({ kinds: filter.kinds?.join(','), project: filter.project });
    for await (const { event, id, data } of this.#stream(`/events${query}`, null, more.signal))
      yield { kind: event, id, data: JSON.parse(data) as CloudEvent['data'] };
  }

  /** A run's log from an offset on, as it grows, to its end: of one attempt, the last one where none is named. */
  async *followLog(
    key: string,
    {
      offset = 0,
      attempt,
      signal,
    }: { readonly offset?: number; readonly attempt?: number; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<Buffer, void, void> {
    const path = `${pathOf('/runs/:key/log/stream', { key })}${queryOf({ attempt })}`;
    for await (const { event, data } of this.#stream(path, String(offset), signal)) {
      if (event === 'end') return;
      const chunk = JSON.parse(data) as { readonly data?: string; readonly data_base64?: string };
      yield chunk.data === undefined
        ? Buffer.from(chunk.data_base64 ?? '', 'base64')
        : Buffer.from(chunk.data);
    }
  }

  /** Connects again after a loss, as long as somebody listens. */
  async *#stream(path: string, from: string | null, signal: AbortSignal | undefined) {
    let last = from;
    for (let pauseMs = FIRST_PAUSE_MS; !isAborted(signal); pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
      try {
        const headers: Record<string, string> = last === null ? {} : { 'last-event-id': last };
        const response = await this.#send({ method: 'GET', path, body: null, more: { headers, signal } });
        for await (const event of eventsOf(response)) {
          pauseMs = FIRST_PAUSE_MS;
          last = event.id ?? last;
          yield event;
        }
      } catch (error) {
        if (isAborted(signal)) return;
        if (error instanceof CloudError && !PASSING.has(error.code)) throw error;
      }
      // Rejects only when it is aborted, and then the loop ends.
      await wait(pauseMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
    }
  }

  async #send(request: {
    readonly method: string;
    readonly path: string;
    readonly body: string | null;
    readonly more: CallMore;
  }): Promise<IncomingMessage> {
    const { method, path, body, more } = request;
    const headers = {
      host: 'rocksy',
      ...(body === null ? {} : { 'content-type': 'application/json' }),
      ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
      ...(more.idempotencyKey === undefined ? {} : { 'idempotency-key': more.idempotencyKey }),
      ...more.headers,
    };
    const response = await this.#exchange({
      method,
      path: `${BASE}${path}`,
      headers,
      body,
      signal: more.signal,
    });
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    throw problemOf(await textOf(response), status, this.address);
  }

  /** Again after a loss: the former time may have had its effect, and has it once. */
  async #exchange(request: HttpRequest): Promise<IncomingMessage> {
    const until = performance.now() + this.#patienceMs;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
      try {
        const response = await this.#sender.send(request);
        this.#everConnected = true;
        return response;
      } catch (cause) {
        request.signal?.throwIfAborted();
        if (!this.#everConnected || performance.now() > until) throw this.#unreachable(cause);
        await wait(pauseMs, undefined, request.signal === undefined ? {} : { signal: request.signal });
      }
    }
  }

  #unreachable(cause: unknown): CloudError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new CloudError('unreachable', 0, `No cloud answers at ${this.address}: ${reason}`, undefined, {
      cause,
    });
  }

  [Symbol.dispose](): void {
    this.#sender[Symbol.dispose]();
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** What may be better in a moment. */
const PASSING: ReadonlySet<string> = new Set([
  'unreachable',
  'lost',
  'internal',
  'host_away',
  'no_log',
  'too_many_requests',
]);

function problemOf(text: string, status: number, address: string): CloudError {
  try {
    const { code, title, detail, problems } = JSON.parse(text) as Problem;
    if (typeof code === 'string') return new CloudError(code, status, title, detail, { problems });
  } catch {
    // No problem+json: another server answers there.
  }
  return new CloudError(
    'protocol',
    status,
    `${address} answers ${status}, and not as a cloud does`,
    'is the address that of `rocksy server`?',
  );
}

function pathOf(path: string, params: object): string {
  const values: Readonly<Record<string, unknown>> = { ...params };
  return path.replaceAll(/:(\w+)/g, (_match, name: string) => encodeURIComponent(String(values[name])));
}

function queryOf(query: object): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  return search.size === 0 ? '' : `?${search}`;
}
