import type { InstanceEnd } from './run.ts';

/** What ends sooner after its start has not worked. */
const CRASH_MS = 10_000;
/** What lives so long works. */
const STEADY_MS = 60_000;
const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 60_000;

/** Instances end as soon as they begin: the next ones have to wait. */
export interface Slowdown {
  readonly delayMs: number;
  /** When `delayMs` was last made longer. */
  readonly sinceMs: number;
  /** None is started before. */
  readonly untilMs: number;
}

/** After the end of an instance. What was started together and crashes together makes the delay longer once. */
export function afterEnd(former: Slowdown | null, end: InstanceEnd, nowMs: number): Slowdown | null {
  const livedMs = end.startedMs === null ? 0 : end.endedMs - end.startedMs;
  if (end.wasCancelled || livedMs >= CRASH_MS) return former;
  // Since none is started before `untilMs`, those that were have lived for so long by now, or have not begun.
  if (former === null || nowMs >= former.untilMs + STEADY_MS) return slowdown(FIRST_DELAY_MS, nowMs);
  if (end.createdMs <= former.sinceMs)
    return { ...former, untilMs: Math.max(former.untilMs, nowMs + former.delayMs) };
  return slowdown(Math.min(LONGEST_DELAY_MS, former.delayMs * 2), nowMs);
}

function slowdown(delayMs: number, nowMs: number): Slowdown {
  return { delayMs, sinceMs: nowMs, untilMs: nowMs + delayMs };
}
