import type { Access } from './access.ts';
import type { RunKey } from './vocabulary.ts';

/** Counting that took less is done each time. */
const SHORT_MS = 20;
/** What took longer is not done again for so many times as long. */
const REST = 1000;

/** A place in the order of ends. */
export interface End {
  readonly endedMs: number;
  readonly key: RunKey;
}

/**
 * Up to which place there are more runs than are to be kept. No index knows how many entries it has, so they are walked:
 * seconds for ten millions. A place that was right once stays safe: the runs behind it only become more.
 */
export class Surplus {
  readonly #access: Access;
  /** `restsUntilMs` of `performance.now()`. */
  #last: { readonly keep: number; readonly end: End | null; readonly restsUntilMs: number } | null = null;

  constructor(access: Access) {
    this.#access = access;
  }

  /** The last run that is not among the newest `keep`, as all before it; null: there are no more than that. */
  async last(keep: number): Promise<End | null> {
    const beginMs = performance.now();
    if (this.#last?.keep === keep && beginMs < this.#last.restsUntilMs) return this.#last.end;
    const row = await this.#access.db
      .selectFrom('runs')
      .select(['endedMs', 'key'])
      .where('endedMs', 'is not', null)
      .orderBy('endedMs', 'desc')
      .orderBy('key', 'desc')
      .offset(keep)
      .limit(1)
      .executeTakeFirst();
    const end = row === undefined || row.endedMs === null ? null : { endedMs: row.endedMs, key: row.key };
    const nowMs = performance.now();
    const tookMs = nowMs - beginMs;
    this.#last = tookMs < SHORT_MS ? null : { keep, end, restsUntilMs: nowMs + tookMs * REST };
    return end;
  }
}
