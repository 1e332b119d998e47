import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { jsonDepth, MAX_JSON_DEPTH, RocksyError, type RunKey } from '../../wire/index.ts';
import type { Run } from '../runs/index.ts';
import type { Accepted, Removed } from './messages.ts';
import { type Counts, type ListFilter, Reader, type RunPage } from './reader.ts';
import { type Discard, Retention, type RetentionPolicy, TOMBSTONE_MS } from './retention.ts';
import { columnsOfPhase, columnsOfRun } from './rows.ts';
import { type JournalLog, type TurnLimits, Turns } from './turns.ts';

export type { JournalLog } from './turns.ts';

export interface JournalOptions {
  /** The state directory. It exists. */
  readonly dir: string;
  readonly log: JournalLog;
  /** Hears once that the journal's thread has died: nothing can be written any more, and rocksyd has to start anew. */
  readonly onFatal?: (error: RocksyError) => void;
  readonly now?: () => number;
  /** For tests: other limits, and a hold of the thread. */
  readonly tuning?: Partial<TurnLimits> & {
    readonly idleMs?: number;
    readonly onThread?: (worker: Worker) => void;
  };
}

const FILE = 'journal.db';
const LIMITS: TurnLimits = { maxPending: 50_000, maxPendingBytes: 256 * 1024 * 1024 };
const IDLE_MS = 5000;

/**
 * What this host has promised, in `STATE/journal.db`. Every promise of a method resolves after the commit, and reads
 * that come after it see it. Any write may be rejected with `low_disk` or `state_unwritable`; then it has not happened,
 * and it works again, without a restart, as soon as the cause is gone.
 *
 * @example
 * await using journal = await Journal.open({ dir: '/var/lib/rocksy', log });
 * if ((await journal.accept(run)) === 'accepted') start(run);
 */
export class Journal implements AsyncDisposable {
  readonly #turns: Turns;
  readonly #reader: Reader;
  readonly #retention: Retention;
  readonly #now: () => number;
  #closed: Promise<void> | null = null;

  private constructor(turns: Turns, reader: Reader, now: () => number) {
    this.#turns = turns;
    this.#reader = reader;
    this.#retention = new Retention(turns);
    this.#now = now;
  }

  /** Throws `state_unwritable` or `low_disk`, with what to do, when the file can't be used. */
  static async open({ dir, log, onFatal, now = Date.now, tuning = {} }: JournalOptions): Promise<Journal> {
    const path = join(dir, FILE);
    const { idleMs = IDLE_MS, onThread, ...limits } = tuning;
    const parts = { limits: { ...LIMITS, ...limits }, log, onFatal: onFatal ?? (() => {}), onThread };
    const turns = await Turns.start({ path, idleMs }, parts);
    try {
      return new Journal(turns, new Reader(path), now);
    } catch (error) {
      await turns.drain();
      await turns.end();
      throw error;
    }
  }

  /**
   * Takes a run down unless its key is known; what is known is never overwritten. `freed`: it was freed with a tombstone
   * less than 30 days ago. `invalid_request`: it could not be read back (JSON too deep).
   */
  async accept(run: Run): Promise<Accepted> {
    const columns = columnsOfRun(run);
    if (jsonDepth(columns.spec) > MAX_JSON_DEPTH) {
      throw new RocksyError('invalid_request', `The run's JSON nests deeper than ${MAX_JSON_DEPTH}`);
    }
    const bytes = columns.spec.length + (columns.stdin?.length ?? 0);
    const tombstonesSinceMs = this.#now() - TOMBSTONE_MS;
    return this.#turns.submit({ op: 'accept', run: columns, tombstonesSinceMs }, { bytes });
  }

  /**
   * Notes how a known run stands. What comes later wins, but nothing replaces an end, and only an end replaces `running`;
   * news that come too late are dropped. An outcome that is rejected is the caller's to try again until it is written:
   * only then may it be reported and acknowledged. `not_found`: there is no such run (it ended and was freed).
   */
  async record({ identity: { key }, phase }: Run): Promise<void> {
    const to = columnsOfPhase(phase);
    const bytes = to.phase.length + (to.result?.length ?? 0);
    const known = await this.#turns.submit({ op: 'record', key, to }, { bytes });
    if (known === 'unknown') throw new RocksyError('not_found', `The journal has no run '${key}'`);
  }

  /** Forgets a run that has ended; false when there is none. With a tombstone its key may not run again for 30 days. */
  async free(key: RunKey, { tombstone }: { readonly tombstone: boolean }): Promise<boolean> {
    // Awaited only where there is something: calls made one after the other take effect in that order.
    for (
      let over = this.#retention.discardingOf(key);
      over !== null;
      over = this.#retention.discardingOf(key)
    ) {
      // Whether it succeeded is told to whoever asked for it; here only that it is over counts.
      await Promise.allSettled([over]);
    }
    return this.#turns.submit({ op: 'free', key, tombstoneMs: tombstone ? this.#now() : null });
  }

  /** The cloud has the outcome of its run: from now on it is kept like any other. False: it was so before, or is none of its. */
  settle(key: RunKey): Promise<boolean> {
    return this.#turns.submit({ op: 'settle', key });
  }

  /** The run as it was last committed. Once it has ended, without its stdin. */
  get(key: RunKey): Run | undefined {
    return this.#reader.get(key);
  }

  list(filter: ListFilter): RunPage {
    return this.#reader.list(filter);
  }

  /** What has not ended, oldest first: what a daemon that starts has to ask about. */
  unfinished(): Run[] {
    return this.#reader.unfinished();
  }

  counts(): Counts {
    return this.#reader.counts();
  }

  /** How many writes have been asked for and not been answered. */
  get pending(): number {
    return this.#turns.pending;
  }

  /**
   * Forgets ended local runs by the policy, oldest first, in slices that other writes go between; those of the cloud stay
   * until they are freed. `discard` is given each slice before it is forgotten, to delete its files: while the key is
   * known it can't run anew, so none of a new run's files can be hit, and a crash leaves nothing that nobody knows. When
   * `discard` rejects, so does this, and its slice stays.
   */
  expire(policy: RetentionPolicy, discard: Discard = async () => {}): Promise<Removed[]> {
    return this.#retention.expire(policy, discard);
  }

  /**
   * The number of the next session with a zygote: higher than any before. It is at least the time in seconds, because
   * zygotes outlive a journal that was lost, and hear nobody whose number is not higher than the last.
   */
  nextSession(): Promise<number> {
    return this.#turns.submit({ op: 'session', atLeast: Math.floor(this.#now() / 1000) });
  }

  /** Commits what waits, then ends the thread. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#turns.drain();
    // The reader first: the last connection to close brings the write-ahead log into the database, and a reader can't.
    this.#reader.close();
    await this.#turns.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
