import type { Progress, RequestNamed, RunEventName, RunView } from '../wire/index.ts';
import { numberOf, runOf } from './answer.ts';
import type { Dialer } from './dialer.ts';
import { openStream, type StreamItem } from './stream.ts';

/** Which events: by their names, of one pool, of one run. Nothing named means all. */
export type EventFilter = Omit<RequestNamed<'subscribe'>, 'name'>;

export type RunEvent =
  | { readonly event: Exclude<RunEventName, 'log'>; readonly run: RunView }
  /** A log has grown. */
  | { readonly event: 'log'; readonly key: string; readonly offset: number; readonly size: number }
  /** The connection was lost and is there again; what happened in between was not seen: ask `list` or `status`. */
  | { readonly event: 'missed' };

/**
 * Events as they happen, for `for await`. The subscription begins with the first event that is asked for, or with
 * `subscribed()`: to miss nothing of a run, wait for that before starting it.
 */
export class EventStream implements AsyncIterableIterator<RunEvent, void, void>, AsyncDisposable {
  readonly #items: AsyncGenerator<StreamItem, never, void>;
  readonly #abort: AbortController;
  #subscriptions = 0;
  #subscribing: Promise<void> | undefined;

  constructor(dialer: Dialer, filter: EventFilter, signal: AbortSignal) {
    this.#abort = new AbortController();
    const either = AbortSignal.any([signal, this.#abort.signal]);
    this.#items = openStream(dialer, { name: 'subscribe', fields: () => filter }, either);
  }

  /** Resolves with this stream once the daemon has accepted the subscription. */
  async subscribed(): Promise<this> {
    this.#subscribing ??= this.#awaitSubscription();
    await this.#subscribing;
    return this;
  }

  async next(): Promise<IteratorResult<RunEvent, void>> {
    await this.subscribed();
    for (;;) {
      const event = this.#eventOf(await this.#nextItem());
      if (event !== null) return { done: false, value: event };
    }
  }

  /** Ends the subscription; a `next` that waits rejects. */
  async return(): Promise<IteratorResult<RunEvent, void>> {
    this.#abort.abort();
    // What it fails of is the abort above, or an end that `next` has told.
    await Promise.allSettled([this.#items.return(undefined as never)]);
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  async #awaitSubscription(): Promise<void> {
    while (this.#subscriptions === 0) this.#eventOf(await this.#nextItem());
  }

  async #nextItem(): Promise<StreamItem> {
    const { value } = await this.#items.next();
    return value;
  }

  #eventOf(item: StreamItem): RunEvent | null {
    if (item.kind === 'begun') return null;
    if (item.kind === 'answer') return ++this.#subscriptions > 1 ? { event: 'missed' } : null;
    return toEvent(item.event, item.fields);
  }
}

/** Null for an event that this client does not know. */
function toEvent(event: string, fields: Parameters<typeof runOf>[0]): RunEvent | null {
  switch (event) {
    case 'queued':
    case 'started':
    case 'exited':
      return { event, run: runOf(fields) };
    case 'progress':
      // It stands beside the run, which the daemon shows without reading its files.
      return { event, run: { ...runOf(fields), progress: fields.progress as unknown as Progress } };
    case 'log':
      return {
        event,
        key: String(fields.key),
        offset: numberOf(fields, 'offset') ?? 0,
        size: numberOf(fields, 'size') ?? 0,
      };
    default:
      return null;
  }
}
