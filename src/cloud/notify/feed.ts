import type { Clock } from '../clock.ts';
import type { EventBatch, Store } from '../store/index.ts';
import type { AlertBook } from './book.ts';
import { type LogEvent, logEventOf, type RunEvent } from './event.ts';
import { observationsOf } from './from-event.ts';
import type { Observation } from './observation.ts';

const PAGE = 100;
/** The cursor in the store is behind by so many batches at most, where they changed nothing. */
const MAX_BEHIND = 50;
/** After the store has failed. */
const STORE_PAUSE_MS = 5000;

export interface AlertFeedOptions {
  readonly store: Pick<Store, 'alerts' | 'events'>;
  readonly book: AlertBook;
  readonly clock: Clock;
  /** Hears of each run, when it has been dealt with; `id` is that of its batch, `atMs` when it was written. */
  readonly onRun: (event: RunEvent, batch: Pick<EventBatch, 'id' | 'atMs'>) => void;
  /** The store can't be reached. It is tried again by itself. */
  readonly onError: (error: unknown) => void;
  /** These events were forgotten before they were read: nobody is told of them. */
  readonly onGap: (gap: { readonly after: number; readonly before: number }) => void;
}

/** What somebody sees who watches the time, looked at when everything in the log is known. */
export type Look = () => readonly Observation[] | Promise<readonly Observation[]>;

/**
 * Reads the log of events and tells the book what they say of jobs: each at least once, and with effect exactly once,
 * because the book moves the cursor together with what follows from them. Does one thing after the other: what is in the
 * log, what others have seen meanwhile, what time has brought.
 */
export class AlertFeed implements AsyncDisposable {
  readonly #options: AlertFeedOptions;
  /** The last batch that has been dealt with, and how far the store knows that. */
  #cursor = 0;
  #saved = 0;
  #looks: Look[] = [];
  #timer: Disposable | null = null;
  /** `asked`: there is reason for another round after this one. */
  #round: { asked: boolean; readonly done: Promise<void> } | null = null;
  #state: 'new' | 'open' | 'stopped' = 'new';

  constructor(options: AlertFeedOptions) {
    this.#options = options;
  }

  /** The first time ever: from the present end of the log on. */
  async start(): Promise<void> {
    const { store, book, onGap } = this.#options;
    const { first, last } = await store.events.range();
    this.#cursor = await store.alerts.cursorOrSet(last);
    this.#saved = this.#cursor;
    if (this.#cursor > 0 && first > this.#cursor + 1) onGap({ after: this.#cursor, before: first });
    await book.open();
    if (this.#state === 'new') this.#state = 'open';
    this.wake();
  }

  /** There is more in the log. */
  wake(): void {
    if (this.#state !== 'open') return;
    if (this.#round !== null) this.#round.asked = true;
    else this.#round = { asked: true, done: this.#rounds() };
  }

  /** Takes in what somebody has seen who does not read it in the log; before the start it waits for that. */
  observe(look: Look): void {
    this.#looks.push(look);
    this.wake();
  }

  /** Resolves when all that it was woken for is dealt with, or the store has failed. */
  async settled(): Promise<void> {
    while (this.#round !== null) await this.#round.done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#state = 'stopped';
    this.#setTimer(null);
    await this.settled();
    // Else the same batches are read once more.
    if (this.#cursor > this.#saved) await this.#save([]).catch(this.#options.onError);
  }

  async #rounds(): Promise<void> {
    // `#round` is set when this goes on.
    await Promise.resolve();
    const { book, clock, onError } = this.#options;
    try {
      while (this.#round?.asked === true && this.#state === 'open') {
        this.#round.asked = false;
        await this.#readLog();
        await this.#takeLooks();
        await this.#sweep();
      }
      this.#setTimer(book.nextSweepMs);
    } catch (error) {
      onError(error);
      this.#setTimer(clock.nowMs() + STORE_PAUSE_MS);
    }
    this.#round = null;
  }

  async #readLog(): Promise<void> {
    const { store } = this.#options;
    while (this.#state === 'open') {
      const batches = await store.events.after(this.#cursor, PAGE);
      if (batches.length === 0) return;
      await this.#consume(batches);
    }
  }

  async #consume(batches: readonly EventBatch[]): Promise<void> {
    const { book, onRun } = this.#options;
    const seen = batches.flatMap((batch) =>
      batch.events.flatMap((raw) => {
        const event = logEventOf(raw);
        return event === null ? [] : [{ event, batch }];
      }),
    );
    const observations = book.relevant(seen.flatMap(({ event, batch }) => observationsOf(event, batch.atMs)));
    const last = batches.at(-1)?.id ?? this.#cursor;
    if (observations.length > 0 || last - this.#saved >= MAX_BEHIND)
      if (!(await this.#save(observations, last))) return;
    this.#cursor = last;
    for (const { event, batch } of seen) if (isRun(event)) onRun(event, batch);
  }

  /** False: somebody else reads the log as well, and is elsewhere. Goes on from there. */
  async #save(observations: readonly Observation[], to: number = this.#cursor): Promise<boolean> {
    const { store, book } = this.#options;
    if (await book.observe(observations, { from: this.#saved, to })) {
      this.#saved = to;
      return true;
    }
    this.#saved = await store.alerts.cursorOrSet(to);
    await book.open();
    // It was this one, in a transaction whose fate was not told.
    if (this.#saved === to) return true;
    this.#cursor = this.#saved;
    return false;
  }

  async #takeLooks(): Promise<void> {
    const { book } = this.#options;
    const looks = this.#looks;
    if (looks.length === 0) return;
    const seen = await Promise.all(looks.map((look) => look()));
    const observations = book.relevant(seen.flat());
    if (observations.length > 0) await book.observe(observations, null);
    // Only now: after a failure all of them look again.
    this.#looks = this.#looks.slice(looks.length);
  }

  async #sweep(): Promise<void> {
    const { book, clock } = this.#options;
    while (this.#state === 'open' && book.nextSweepMs !== null && book.nextSweepMs <= clock.nowMs())
      await book.sweep();
  }

  #setTimer(ms: number | null): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer =
      ms === null || this.#state !== 'open' ? null : this.#options.clock.at(ms, () => this.wake());
  }
}

function isRun(event: LogEvent): event is RunEvent {
  return event.kind === 'run';
}
