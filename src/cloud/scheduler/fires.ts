// Every due instant of a job, from the history of its definitions: what the ledger has to have, and nothing else.
import { dueInstants, hindrance, type Timing } from './timing.ts';

/**
 * A definition and since when it is in force: until a later one is. Null: the job was deleted. Where the clock was put
 * back between two versions, the later one is in force from its own time on, also over what the former one had.
 */
export interface Version {
  readonly version: number;
  readonly fromMs: number;
  readonly timing: Timing | null;
}

/** `untilMs`: null while nobody has resumed it. */
export interface Pause {
  readonly fromMs: number;
  readonly untilMs: number | null;
}

export interface Fire {
  readonly dueMs: number;
  readonly version: number;
  /** Why it must not run; null: it may, as far as the time is concerned. */
  readonly hindrance: 'outside' | 'blackout' | 'paused' | null;
}

/**
 * All fires of fromMs ≤ due < untilMs, in order. An instant belongs to the definition that was in force then, whenever it
 * is dealt with; a pause hinders what would have run.
 * @param history in the order of versions
 */
export function firesWithin(
  history: readonly Version[],
  pauses: readonly Pause[],
  fromMs: number,
  untilMs: number,
): Fire[] {
  return history.flatMap(({ version, fromMs: begun, timing }, i) => {
    if (timing === null) return [];
    const from = Math.max(fromMs, begun);
    const until = Math.min(untilMs, ...history.slice(i + 1).map((later) => later.fromMs));
    return dueInstants(timing, from, until).map((dueMs) => ({
      dueMs,
      version,
      hindrance: hindrance(timing, dueMs) ?? (isPaused(pauses, dueMs) ? 'paused' : null),
    }));
  });
}

function isPaused(pauses: readonly Pause[], atMs: number): boolean {
  return pauses.some(({ fromMs, untilMs }) => atMs >= fromMs && (untilMs === null || atMs < untilMs));
}
