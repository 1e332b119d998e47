export interface MisfirePolicy {
  readonly policy: 'skip' | 'once' | 'all';
  /** What was due longer ago is not made up for; null: however long. */
  readonly withinMs: number | null;
  /** With `all`: so many at most, the latest ones. */
  readonly max: number;
}

/**
 * Which of these due instants, in order, are run although it is too late for all of them: nobody was there when they
 * came. All others are skipped.
 */
export function madeUpFor(
  due: readonly number[],
  { policy, withinMs, max }: MisfirePolicy,
  nowMs: number,
): number[] {
  if (policy === 'skip') return [];
  const recent = withinMs === null ? due : due.filter((at) => nowMs - at <= withinMs);
  const count = policy === 'once' ? 1 : max;
  return recent.slice(Math.max(0, recent.length - count));
}
