import { setTimeout as wait } from 'node:timers/promises';
import type { Arrival, FormerAttempt, NewRun, RunChange, RunCommit, RunKey } from '../store/index.ts';

/** Writes all of it or nothing. @returns keys that were there before, and the id under which the events stand */
export type Write = (
  commit: RunCommit,
) => Promise<{ readonly known: ReadonlySet<RunKey>; readonly eventId: number | null }>;

export interface CommitsOptions {
  readonly write: Write;
  /** Those of these runs that are in the store. */
  readonly find: (keys: readonly RunKey[]) => Promise<readonly Pick<NewRun, 'key' | 'queuedMs'>[]>;
  readonly nowMs: () => number;
  /** What was written, in order: for whoever listens. */
  readonly published: (events: readonly unknown[], eventId: number) => void;
  /** The store can't be written for the moment: it is tried again, until it can. */
  readonly failed: (error: unknown) => void;
  /** Nothing may be written any more: somebody else leads. */
  readonly isFinal: (error: unknown) => boolean;
  readonly lost: (error: unknown) => void;
}

interface Batch {
  readonly created: Map<RunKey, { readonly run: NewRun; readonly settle: (isNew: boolean) => void }>;
  readonly changes: Map<RunKey, RunChange>;
  readonly attempts: FormerAttempt[];
  readonly arrivals: Arrival[];
  readonly events: unknown[];
  readonly after: (() => void)[];
  /** Nothing more comes in. */
  isFull: boolean;
}

/**
 * Changes in one commit, about. Embedded, the store keeps the event loop while it writes; and between two commits whoever
 * decides what is due has a turn, which must not wait for all that follows from ten thousand fires at one instant.
 */
const MAX_CHANGES = 300;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 5_000;

/**
 * What becomes of runs, on its way into the store: everything that comes while one commit is under way goes with the
 * next, so that the number of commits does not grow with the load. Memory is ahead of the store; whatever is seen
 * outside (a request to a host, an answer, an event) waits for the commit that it follows from.
 */
export class Commits {
  readonly #options: CommitsOptions;
  /** In order; what comes is added to the last one. */
  #batches: Batch[] = [];
  /** Full when this turn's microtasks come. */
  #closing: Batch | null = null;
  #flushing: Promise<void> | null = null;
  #isOver = false;

  constructor(options: CommitsOptions) {
    this.#options = options;
  }

  /** `settle` is told, before anything else is done that waited, whether it is new or a run of this key was there. */
  created(run: NewRun, event: unknown, settle: (isNew: boolean) => void): void {
    const batch = this.#latest;
    batch.created.set(run.key, { run, settle });
    batch.events.push(event);
    this.#start();
  }

  /** How a run stands now; `after` is done when that is in the store. */
  changed(change: RunChange, event: unknown, after: readonly (() => void)[]): void {
    const batch = this.#latest;
    batch.changes.set(change.key, change);
    batch.events.push(event);
    batch.after.push(...after);
    this.#start();
  }

  attempted(attempt: FormerAttempt): void {
    this.#latest.attempts.push(attempt);
    this.#start();
  }

  arrived(arrivals: readonly Arrival[]): void {
    this.#latest.arrivals.push(...arrivals);
    this.#start();
  }

  /** What is given in one go stays together, however much it is: an outcome, and the runs that follow from it. */
  get #latest(): Batch {
    let last = this.#batches.at(-1);
    if (last === undefined || last.isFull) {
      last = emptyBatch();
      this.#batches.push(last);
    }
    if (last.created.size + last.changes.size >= MAX_CHANGES) this.#closeSoon(last);
    return last;
  }

  #closeSoon(batch: Batch): void {
    if (this.#closing === batch) return;
    this.#closing = batch;
    queueMicrotask(() => {
      batch.isFull = true;
    });
  }

  /** Resolves when everything that was given until now is in the store. */
  async flush(): Promise<void> {
    while (this.#flushing !== null) await this.#flushing;
  }

  #start(): void {
    this.#flushing ??= this.#run().finally(() => {
      this.#flushing = null;
      // It may have come after the last look at the batch.
      if (this.#batches.length > 0 && !this.#isOver) this.#start();
    });
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      // What comes in the same turn comes along.
      await new Promise<void>((resolve) => setImmediate(resolve));
      const batch = this.#batches.shift();
      if (batch === undefined) return;
      const result = await this.#write(batch);
      if (result === null) return;
      for (const { run, settle } of batch.created.values()) settle(!result.known.has(run.key));
      // Whoever listens can wait for what has been asked for to be done.
      for (const act of batch.after) act();
      if (result.eventId !== null) this.#options.published(batch.events, result.eventId);
    }
  }

  /** A commit whose fate was not told may have been made, as a whole or not at all: then what is there now is ours. */
  async #notOurs(created: readonly NewRun[], known: ReadonlySet<RunKey>): Promise<ReadonlySet<RunKey>> {
    if (known.size < created.length) return known;
    const queuedMs = new Map((await this.#options.find([...known])).map((run) => [run.key, run.queuedMs]));
    const foreign = created.filter((run) => queuedMs.get(run.key) !== run.queuedMs);
    return new Set(foreign.map(({ key }) => key));
  }

  /** Null: never. */
  async #write(batch: Batch): Promise<Awaited<ReturnType<Write>> | null> {
    const commit: RunCommit = {
      created: [...batch.created.values()].map(({ run }) => run),
      changes: [...batch.changes.values()],
      attempts: batch.attempts,
      arrivals: batch.arrivals,
      events: batch.events,
      nowMs: this.#options.nowMs(),
    };
    for (let pauseMs = FIRST_PAUSE_MS, tried = 1; ; tried++, pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
      try {
        const { known, eventId } = await this.#options.write(commit);
        return { known: tried === 1 ? known : await this.#notOurs(commit.created, known), eventId };
      } catch (error) {
        if (this.#options.isFinal(error)) {
          this.#isOver = true;
          this.#options.lost(error);
          return null;
        }
        this.#options.failed(error);
        await wait(pauseMs);
      }
    }
  }
}

function emptyBatch(): Batch {
  return {
    created: new Map(),
    changes: new Map(),
    attempts: [],
    arrivals: [],
    events: [],
    after: [],
    isFull: false,
  };
}
