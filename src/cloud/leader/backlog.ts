import type { Fire, Pause } from '../scheduler/index.ts';

/** The fires of one job, by the definitions and pauses that it has. */
export interface Search {
  readonly pauses: readonly (Pause & { readonly reason: string | null })[];
  readonly fires: (fromMs: number, untilMs: number) => readonly Fire[];
}

/** What an outage has left of a job's fires, behind those that are decided in one go. */
export interface Backlog {
  /** The latest that may run, as far as has been looked; null: there is none. */
  readonly latestMs: number | null;
  readonly lookedMs: number;
  /** The earliest of the latest so many when the outage was over: what is made up for at most. */
  readonly makeUpFromMs: number;
}

const FIRST_MS = 60_000;
const LONGEST_MS = 86_400_000;

/** What is behind `untilMs`. Nothing is looked at twice: there may be millions of fires that must not run. */
export function backlogOf(
  former: Backlog | null,
  search: Search,
  count: number,
  { fromMs, untilMs, nowMs }: { readonly fromMs: number; readonly untilMs: number; readonly nowMs: number },
): Backlog {
  const makeUpFromMs = former?.makeUpFromMs ?? latestFree(count, search, fromMs, nowMs + 1) ?? fromMs;
  if (former !== null && former.latestMs !== null && former.latestMs >= untilMs) return former;
  const unknownMs = Math.max(untilMs, former?.lookedMs ?? untilMs);
  return {
    latestMs: latestFree(1, search, unknownMs, nowMs + 1),
    lookedMs: nowMs + 1,
    makeUpFromMs,
  };
}

/** When the first of the latest `count` fires is due that may run; of fewer, where there are no more. Null: of none. */
export function latestFree(count: number, search: Search, fromMs: number, untilMs: number): number | null {
  let missing = count;
  let first: number | null = null;
  let endMs = untilMs;
  for (
    let lengthMs = FIRST_MS;
    endMs > fromMs && missing > 0;
    lengthMs = Math.min(4 * lengthMs, LONGEST_MS)
  ) {
    const beginMs = Math.max(fromMs, endMs - lengthMs);
    if (!isPaused(search.pauses, beginMs, endMs)) {
      const free = search.fires(beginMs, endMs).filter(({ hindrance }) => hindrance === null);
      const latest = free.slice(Math.max(0, free.length - missing));
      missing -= latest.length;
      first = latest[0]?.dueMs ?? first;
    }
    endMs = beginMs;
  }
  return first;
}

function isPaused(pauses: readonly Pause[], fromMs: number, untilMs: number): boolean {
  return pauses.some(
    (pause) => pause.fromMs <= fromMs && (pause.untilMs === null || pause.untilMs >= untilMs),
  );
}
