import type { RunKey } from '../../wire/index.ts';
import type { EndedBound, Expirable, Removed } from './messages.ts';
import type { Turns } from './turns.ts';

/** How long a key that was freed with a tombstone may not run again. */
export const TOMBSTONE_MS = 30 * 24 * 60 * 60 * 1000;

/** What is kept of the runs that have ended. */
export interface RetentionPolicy {
  /** Runs that ended longer ago are forgotten. */
  readonly maxAgeMs: number;
  /** Of what is left the newest so many are kept. */
  readonly maxCount: number;
  readonly nowMs: number;
  /** How many to forget at most with this call (100,000). When so many are returned, there may be more. */
  readonly limit?: number;
}

/** Deletes what belonged to these runs. Their keys are still known, so none of them can be running anew meanwhile. */
export type Discard = (runs: readonly Removed[]) => Promise<void>;

/** What one turn forgets: a few milliseconds, for which the writes that share it wait. */
const SLICE = 500;
const CALL = 100_000;

/** Forgets ended runs that are too old or too many, oldest first, and tombstones past their time. */
export class Retention {
  readonly #turns: Turns;
  #underWay: { readonly keys: ReadonlySet<RunKey>; readonly over: Promise<unknown> } | null = null;

  #last: Promise<unknown> = Promise.resolve();

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  /** One call after the other. */
  expire(policy: RetentionPolicy, discard: Discard): Promise<Removed[]> {
    const removed = this.#last.then(() => this.#expire(policy, discard));
    // The caller hears of a failure; the next call only waits for the end of this one.
    this.#last = Promise.allSettled([removed]);
    return removed;
  }

  async #expire(policy: RetentionPolicy, discard: Discard): Promise<Removed[]> {
    const upTo = await this.#boundOf(policy);
    const limit = policy.limit ?? CALL;
    const removed: Removed[] = [];
    while (removed.length < limit) {
      const size = Math.min(SLICE, limit - removed.length);
      const slice = await this.#turns.submit({ op: 'expirable', upTo, limit: size });
      if (slice.length === 0) break;
      removed.push(...(await this.#forget(slice, discard)));
    }
    await this.#expireTombstones(policy.nowMs - TOMBSTONE_MS);
    return removed;
  }

  /** What has to be over before this key is freed: an earlier freed one could run anew and lose its new files. */
  discardingOf(key: RunKey): Promise<unknown> | null {
    return this.#underWay?.keys.has(key) ? this.#underWay.over : null;
  }

  /** Files first: a crash in between leaves a run that the next call finds again, and no file that nobody knows. */
  async #forget(slice: readonly Expirable[], discard: Discard): Promise<Removed[]> {
    const runs = slice.map(({ seq, ...run }): Removed => run);
    // A turn later, so that what `discard` sets going finds it under way.
    const over = Promise.resolve()
      .then(() => discard(runs))
      .then(() => this.#turns.submit({ op: 'forget', seqs: slice.map(({ seq }) => seq) }));
    this.#underWay = { keys: new Set(runs.map(({ key }) => key)), over };
    try {
      await over;
      return runs;
    } finally {
      this.#underWay = null;
    }
  }

  /** Up to where runs go: the later of what age says and what count says. */
  async #boundOf({ nowMs, maxAgeMs, maxCount }: RetentionPolicy): Promise<EndedBound> {
    const tooOld: EndedBound = { endedMs: nowMs - maxAgeMs, seq: -1 };
    if (!Number.isFinite(maxCount)) return tooOld;
    const tooMany = await this.#turns.submit({ op: 'excess', keep: Math.max(0, Math.floor(maxCount)) });
    return tooMany !== null && tooMany.endedMs >= tooOld.endedMs ? tooMany : tooOld;
  }

  async #expireTombstones(beforeMs: number): Promise<void> {
    while ((await this.#turns.submit({ op: 'expireTombstones', beforeMs, limit: SLICE })) === SLICE);
  }
}
