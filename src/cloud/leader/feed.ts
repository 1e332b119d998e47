import type { Clock } from '../clock.ts';
import type { EventBatch, Store } from '../store/index.ts';

/** One event with the place that a stream goes on after. */
export interface FedEvent {
  /** `ID.INDEX`: of the commit, and within it. */
  readonly id: string;
  readonly event: Readonly<Record<string, unknown>>;
}

type Listener = (events: readonly FedEvent[]) => void;

interface FeedOptions {
  readonly store: Pick<Store, 'events'>;
  readonly clock: Clock;
  /** What was missed could not be read; it is tried again. */
  failed(error: unknown): void;
}

const PAGE = 100;
const RETRY_MS = 1_000;

/** What changes, for those who listen now and those who come back: in the order of the store, each once. */
export class Feed implements Disposable {
  readonly #options: FeedOptions;
  readonly #listeners = new Set<Listener>();
  /** The last commit that those who listen have been told of. */
  #last = 0;
  #reading: Promise<void> | null = null;
  #again = false;
  #retry: Disposable | null = null;
  #isClosed = false;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** From now on. */
  async start(): Promise<void> {
    this.#last = (await this.#options.store.events.range()).last;
  }

  /** What has been committed. Of several who write at a time, the later one may come here first. */
  publish(events: readonly unknown[], eventId: number): void {
    if (eventId <= this.#last) return;
    const isNext = eventId === this.#last + 1 && this.#reading === null;
    if (isNext || this.#listeners.size === 0) this.#tell({ id: eventId, events });
    else this.#read();
  }

  #tell(batch: Pick<EventBatch, 'id' | 'events'>): void {
    this.#last = batch.id;
    if (this.#listeners.size === 0) return;
    const fed = fedOf(batch);
    for (const listener of this.#listeners) listener(fed);
  }

  /** A later one than the next: what lies between is in the store, or never will be. */
  #read(): void {
    this.#again = true;
    this.#reading ??= this.#readAll()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#reading = null;
        if (this.#again && !this.#isClosed) this.#read();
      });
  }

  #failed(error: unknown): void {
    if (this.#isClosed) return;
    const { clock, failed } = this.#options;
    failed(error);
    this.#retry?.[Symbol.dispose]();
    this.#retry = clock.at(clock.nowMs() + RETRY_MS, () => this.#read());
  }

  /** What could not be read yet is left: those who listen have gone, or come back for it. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#retry?.[Symbol.dispose]();
  }

  async #readAll(): Promise<void> {
    while (this.#again && !this.#isClosed) {
      this.#again = false;
      const batches = await this.#options.store.events.after(this.#last, PAGE);
      for (const batch of batches) if (batch.id > this.#last) this.#tell(batch);
      if (batches.length > 0) this.#again = true;
    }
  }

  /** What was missed since `lastId`, then what comes. Not whole: some of what was missed is forgotten already. */
  async listen(
    lastId: string | null,
    listener: Listener,
  ): Promise<{ readonly isWhole: boolean } & Disposable> {
    if (lastId === null) {
      // Of its own, so that one function may listen twice.
      const own: Listener = (events) => listener(events);
      this.#listeners.add(own);
      return { isWhole: true, [Symbol.dispose]: () => void this.#listeners.delete(own) };
    }
    const [commit = 0, index = -1] = lastId.split('.').map(Number);
    // What is published meanwhile waits for its turn.
    let waiting: FedEvent[] | null = [];
    let last = commit;
    const current: Listener = (events) => {
      if (waiting !== null) waiting.push(...events);
      // It may have been read from the store before it was published.
      else if (commitOf(events) > last) listener(events);
    };
    this.#listeners.add(current);
    try {
      const range = await this.#options.store.events.range();
      // An id of the future is of another store, or of this one before it was restored.
      const isWhole = Math.max(1, commit) >= range.first && commit <= range.last;
      last = Math.min(commit, range.last);
      let afterId = last - 1;
      for (
        let batches = await this.#options.store.events.after(afterId, PAGE);
        batches.length > 0;
        batches = await this.#options.store.events.after(afterId, PAGE)
      ) {
        for (const batch of batches) {
          const fed = fedOf(batch);
          const left = batch.id === commit ? fed.slice(index + 1) : batch.id < commit ? [] : fed;
          if (left.length > 0) listener(left);
          last = batch.id;
        }
        afterId = last;
      }
      const missed = waiting.filter((event) => commitOf([event]) > last);
      waiting = null;
      if (missed.length > 0) listener(missed);
      return { isWhole, [Symbol.dispose]: () => void this.#listeners.delete(current) };
    } catch (error) {
      this.#listeners.delete(current);
      throw error;
    }
  }
}

function commitOf([first]: readonly FedEvent[]): number {
  return Number.parseInt(first?.id ?? '0', 10);
}

function fedOf({ id, events }: Pick<EventBatch, 'id' | 'events'>): FedEvent[] {
  return events.map((event, i) => ({ id: `${id}.${i}`, event: event as FedEvent['event'] }));
}
