import type { Clock } from '../clock.ts';
import type { Channel } from './config.ts';
import { type Deliver, deliver, type Result, resultOf } from './deliver/index.ts';
import type { Attempt, DueDelivery, OutboxStore } from './outbox-store.ts';
import { nextAttemptMs } from './retry.ts';

/** How many are under way at once, each to another channel. */
const CONCURRENCY = 8;
const TIMEOUT_MS = 10_000;
/** After the store has failed. */
const STORE_PAUSE_MS = 5000;

export interface OutboxOptions {
  readonly store: OutboxStore;
  readonly clock: Clock;
  /** The channels as they are now. */
  readonly channels: () => readonly Channel[];
  /** The store can't be reached. It is tried again by itself. */
  readonly onError: (error: unknown) => void;
  /** For the log and for metrics. `nextMs` as in `OutboxStore.settle`. */
  readonly onAttempt?: (delivery: DueDelivery, attempt: Attempt, nextMs: number | null) => void;
  readonly timeoutMs?: number;
  readonly deliver?: Deliver;
}

/**
 * Sends what is due, until it has arrived or is given up. Everything that it knows is in the store: after a crash it goes
 * on there, and what was under way is sent once more under the same id. One outbox at a time works on a store.
 *
 * A channel gets one delivery after the other, so that one that hangs holds up nobody but itself, and a recovery does not
 * overtake its alert (but where that has to be tried again).
 */
export class Outbox implements AsyncDisposable {
  readonly #options: OutboxOptions;
  readonly #stop = new AbortController();
  /** By channel. */
  readonly #underWay = new Map<string, Promise<void>>();
  /** The one search for what is due; `asked`: there is reason for another one after it. */
  #search: { asked: boolean; readonly done: Promise<void> } | null = null;
  #timer: Disposable | null = null;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Looks for what is due: at the start, and whenever something was added. */
  wake(): void {
    if (this.#stop.signal.aborted) return;
    if (this.#search !== null) this.#search.asked = true;
    else this.#search = { asked: true, done: this.#searchAll() };
  }

  /** What is under way is broken off and stays in the store. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#setTimer(null);
    await this.#search?.done;
    await Promise.all(this.#underWay.values());
  }

  async #searchAll(): Promise<void> {
    // `#search` is set when this goes on.
    await Promise.resolve();
    const { clock, onError } = this.#options;
    try {
      while (this.#search?.asked === true && !this.#stop.signal.aborted) {
        this.#search.asked = false;
        this.#setTimer(await this.#beginDue());
      }
    } catch (error) {
      onError(error);
      this.#setTimer(clock.nowMs() + STORE_PAUSE_MS);
    }
    this.#search = null;
  }

  /** Begins what is due and has room; when to look again, or null: when something has ended or is added. */
  async #beginDue(): Promise<number | null> {
    const { store, clock } = this.#options;
    for (;;) {
      const room = CONCURRENCY - this.#underWay.size;
      if (room === 0 || this.#stop.signal.aborted) return null;
      const due = await store.due(clock.nowMs(), room, [...this.#underWay.keys()]);
      const begun = due.filter((each) => this.#begin(each));
      if (begun.length === 0) return store.nextDueMs([...this.#underWay.keys()]);
    }
  }

  /** False: its channel is busy. */
  #begin(delivery: DueDelivery): boolean {
    const { channel } = delivery;
    if (this.#underWay.has(channel) || this.#stop.signal.aborted) return false;
    const done = this.#attempt(delivery).then(() => {
      this.#underWay.delete(channel);
      this.wake();
    });
    this.#underWay.set(channel, done);
    return true;
  }

  async #attempt(delivery: DueDelivery): Promise<void> {
    const { clock, onAttempt } = this.#options;
    const atMs = clock.nowMs();
    const result = await this.#send(delivery, atMs);
    if (this.#stop.signal.aborted && !result.ok) return;
    const endMs = clock.nowMs();
    const { ok, status, detail, retryAfterMs, hopeless } = result;
    const attempt = { atMs, tookMs: endMs - atMs, ok, status, detail };
    const nextMs = ok || hopeless ? null : nextAttemptMs(delivery.made + 1, endMs, retryAfterMs);
    await this.#settle(delivery.id, attempt, nextMs);
    onAttempt?.(delivery, attempt, nextMs);
  }

  async #send({ id, channel: name, notice }: DueDelivery, nowMs: number): Promise<Result> {
    const { channels, timeoutMs = TIMEOUT_MS, deliver: send = deliver } = this.#options;
    const channel = channels().find((each) => each.name === name);
    if (channel === undefined) {
      const detail = `there is no channel '${name}' any more`;
      return resultOf({ ok: false, status: null, detail, hopeless: true }, []);
    }
    return send(channel, { id, notice }, { timeoutMs, signal: this.#stop.signal }, nowMs);
  }

  /** Until it is noted, the channel gets nothing: else a store that can only be read would have it sent for ever. */
  async #settle(id: string, attempt: Attempt, nextMs: number | null): Promise<void> {
    const { store, clock, onError } = this.#options;
    for (;;) {
      try {
        await store.settle(id, attempt, nextMs);
        return;
      } catch (error) {
        onError(error);
      }
      if (this.#stop.signal.aborted) return;
      await this.#pause(clock.nowMs() + STORE_PAUSE_MS);
    }
  }

  /** Until then, or until it is stopped. */
  async #pause(untilMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    using _ = this.#options.clock.at(untilMs, resolve);
    const stop = () => resolve();
    this.#stop.signal.addEventListener('abort', stop);
    await promise;
    this.#stop.signal.removeEventListener('abort', stop);
  }

  #setTimer(ms: number | null): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer =
      ms === null || this.#stop.signal.aborted ? null : this.#options.clock.at(ms, () => this.wake());
  }
}
