import type { EventBatch, Store } from '../store/index.ts';

/** One event with the place that a stream goes on after. */
export interface FedEvent {
  /** `ID.INDEX`: of the commit, and within it. */
  readonly id: string;
  readonly event: Readonly<Record<string, unknown>>;
}

type Listener = (events: readonly FedEvent[]) => void;

const PAGE = 100;

/** What changes, for those who listen now and those who come back. */
export class Feed {
  readonly #store: Store;
  readonly #listeners = new Set<Listener>();

  constructor(store: Store) {
    this.#store = store;
  }

  publish(events: readonly unknown[], eventId: number): void {
    if (this.#listeners.size === 0) return;
    const fed = fedOf({ id: eventId, events });
    for (const listener of this.#listeners) listener(fed);
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
      if (waiting === null) listener(events);
      else waiting.push(...events);
    };
    this.#listeners.add(current);
    const { first } = await this.#store.events.range();
    let after = commit - 1;
    for (let batches = await this.#store.events.after(after, PAGE); batches.length > 0; ) {
      for (const batch of batches) {
        const fed = fedOf(batch);
        listener(batch.id === commit ? fed.slice(index + 1) : fed);
        last = batch.id;
      }
      after = last;
      batches = await this.#store.events.after(after, PAGE);
    }
    listener(waiting.filter(({ id }) => Number.parseInt(id, 10) > last));
    waiting = null;
    return { isWhole: commit + 1 >= first, [Symbol.dispose]: () => void this.#listeners.delete(current) };
  }
}

function fedOf({ id, events }: Pick<EventBatch, 'id' | 'events'>): FedEvent[] {
  return events.map((event, i) => ({ id: `${id}.${i}`, event: event as FedEvent['event'] }));
}
