const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** What is waited for before the second attempt, the third and so on. */
export const RETRY_AFTER_MS: readonly number[] = [
  5 * SECOND_MS,
  30 * SECOND_MS,
  2 * MINUTE_MS,
  10 * MINUTE_MS,
  HOUR_MS,
  6 * HOUR_MS,
];

const LONGEST_MS = Math.max(...RETRY_AFTER_MS);

/**
 * When to try again, or null: it is given up.
 * @param made attempts so far, the one that has just failed among them
 * @param askedMs how long the receiver asks to be left alone for (Retry-After); believed up to 6 hours
 */
export function nextAttemptMs(made: number, nowMs: number, askedMs: number | null): number | null {
  const afterMs = RETRY_AFTER_MS[made - 1];
  if (afterMs === undefined) return null;
  return nowMs + Math.max(afterMs, Math.min(askedMs ?? 0, LONGEST_MS));
}
