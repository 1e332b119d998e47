// Which instants a schedule names. Pure: the same definition and interval give the same instants for ever.
import type { CronPattern } from './cron-pattern.ts';
import type { Segment, Zone } from './zone.ts';

export type Schedule =
  | { readonly kind: 'cron'; readonly pattern: CronPattern; readonly zone: Zone }
  /** Each multiple of `everyMs` since the Unix epoch, shifted by `offsetMs`. */
  | { readonly kind: 'every'; readonly everyMs: number; readonly offsetMs: number }
  | { readonly kind: 'at'; readonly atMs: readonly number[] };

/** All instants at or after `fromMs`, in order, each once. Without an end where the schedule has none. */
export function dueFrom(schedule: Schedule, fromMs: number): Iterable<number> {
  switch (schedule.kind) {
    case 'cron':
      return schedule.pattern.stepMs === null
        ? fixedTimes(schedule.pattern, schedule.zone, fromMs)
        : intervals(schedule.pattern, schedule.pattern.stepMs, schedule.zone, fromMs);
    case 'every':
      return multiples(schedule.everyMs, schedule.offsetMs, fromMs);
    case 'at':
      return [...new Set(schedule.atMs)].filter((at) => at >= fromMs).toSorted((a, b) => a - b);
  }
}

/** All instants of fromMs ≤ t < untilMs, in order, each once. */
export function dueWithin(schedule: Schedule, fromMs: number, untilMs: number): number[] {
  const due: number[] = [];
  for (const at of dueFrom(schedule, fromMs)) {
    if (at >= untilMs) break;
    due.push(at);
  }
  return due;
}

/**
 * Fixed times follow the clock's longest hand so far: what a clock that is put back shows again has been, and what one
 * that is put forward leaves out is made up for at once, at the first instant after it.
 */
function* fixedTimes(pattern: CronPattern, zone: Zone, fromMs: number): Generator<number> {
  let last = Number.NEGATIVE_INFINITY;
  for (const { fromMs: begun, untilMs, offsetMs, formerOffsetMs } of zone.segmentsFrom(fromMs)) {
    const wall =
      fromMs > begun ? Math.max(begun + formerOffsetMs, fromMs + offsetMs) : begun + formerOffsetMs;
    if (pattern.atOrAfter(wall) === null) return;
    for (const shown of wallTimes(pattern, wall, untilMs + offsetMs)) {
      const at = Math.max(begun, shown - offsetMs);
      if (at <= last || at < fromMs) continue;
      last = at;
      yield at;
    }
  }
}

/** Intervals run through: whatever the clock shows counts, unless it comes too soon after a clock was changed. */
function* intervals(pattern: CronPattern, stepMs: number, zone: Zone, fromMs: number): Generator<number> {
  for (const segment of zone.segmentsFrom(fromMs)) {
    const { fromMs: begun, untilMs, offsetMs } = segment;
    const wall = Math.max(begun, fromMs) + offsetMs;
    if (pattern.atOrAfter(wall) === null) return;
    const last = lastBefore(pattern, stepMs, segment);
    for (const shown of wallTimes(pattern, wall, untilMs + offsetMs)) {
      const at = shown - offsetMs;
      if (at - last >= stepMs) yield at;
    }
  }
}

/** The last time before a clock was changed that could be too near to the first one after it. */
function lastBefore(
  pattern: CronPattern,
  stepMs: number,
  { fromMs, offsetMs, formerOffsetMs }: Segment,
): number {
  let last = Number.NEGATIVE_INFINITY;
  if (offsetMs === formerOffsetMs) return last;
  const wall = fromMs + formerOffsetMs;
  for (const shown of wallTimes(pattern, wall - stepMs, wall)) last = shown - formerOffsetMs;
  return last;
}

/** What a clock shows from `fromMs` on and before `untilMs`, both as milliseconds, as if the wall were UTC. */
function* wallTimes(pattern: CronPattern, fromMs: number, untilMs: number): Generator<number> {
  for (let wall = pattern.atOrAfter(fromMs); wall !== null && wall < untilMs; ) {
    yield wall;
    wall = pattern.atOrAfter(wall + 1);
  }
}

function* multiples(everyMs: number, offsetMs: number, fromMs: number): Generator<number> {
  for (let k = Math.ceil((fromMs - offsetMs) / everyMs); ; k++) yield k * everyMs + offsetMs;
}
