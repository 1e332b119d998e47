/** So many were wanted, the last time at `lastMs`. */
export interface Want {
  readonly count: number;
  readonly lastMs: number;
}

/**
 * What was wanted of late, as far as it may still count: each is less than the one before and was wanted later, so that
 * they are few. The last one is what is wanted now.
 */
export type Wants = readonly [...Want[], Want];

export function wanting(count: number, nowMs: number): Wants {
  return [{ count, lastMs: nowMs }];
}

/** From now on `count` are wanted; until now it was the last of `wants`. What lies `coolDownMs` back does not count. */
export function noted(wants: Wants, count: number, nowMs: number, coolDownMs: number): Wants {
  const kept = [...wants.slice(0, -1), { ...newest(wants), lastMs: nowMs }].filter(
    (each) => each.count > count && each.lastMs + coolDownMs > nowMs,
  );
  return [...kept, { count, lastMs: nowMs }];
}

/** The most that was wanted within the cool-down, and until when that holds; null: it is what is wanted now. */
export function highest(
  wants: Wants,
  nowMs: number,
  coolDownMs: number,
): { readonly count: number; readonly untilMs: number | null } {
  const earlier = wants.slice(0, -1).find((each) => each.lastMs + coolDownMs > nowMs);
  if (earlier === undefined) return { count: newest(wants).count, untilMs: null };
  return { count: earlier.count, untilMs: earlier.lastMs + coolDownMs };
}

export function newest(wants: Wants): Want {
  return wants[wants.length - 1] as Want;
}
