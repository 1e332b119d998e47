// When one job is due, and when it is due and must not run all the same. Pure.
import { createHash } from 'node:crypto';
import { dueFrom, dueWithin, type Schedule } from './schedule.ts';

export type Blackout =
  | { readonly kind: 'once'; readonly fromMs: number; readonly untilMs: number }
  /** From each due time of a schedule on, for so long. */
  | { readonly kind: 'recurring'; readonly schedule: Schedule; readonly lastingMs: number };

export interface Timing {
  readonly schedules: readonly Schedule[];
  /** It is due at this instant at the earliest; null: always. */
  readonly startMs: number | null;
  /** It is not due any more at this instant. */
  readonly endMs: number | null;
  readonly blackouts: readonly Blackout[];
}

/** All due instants of fromMs ≤ t < untilMs, in order; one that two schedules name is one. */
export function dueInstants(timing: Timing, fromMs: number, untilMs: number): number[] {
  const all = timing.schedules.flatMap((schedule) => dueWithin(schedule, fromMs, untilMs));
  return [...new Set(all)].toSorted((a, b) => a - b);
}

/** The first due instant at or after this one; null: there is none any more. Start, end and blackouts don't matter here. */
export function nextDue(timing: Timing, fromMs: number): number | null {
  let next: number | null = null;
  for (const schedule of timing.schedules) {
    for (const at of dueFrom(schedule, fromMs)) {
      if (next === null || at < next) next = at;
      break;
    }
  }
  return next;
}

/** The first of them from an instant on that is not before its start; null: there is none before its end. */
export function nextWithin(timing: Timing, fromMs: number): number | null {
  const { startMs, endMs } = timing;
  const next = nextDue(timing, Math.max(fromMs, startMs ?? fromMs));
  return next !== null && endMs !== null && next >= endMs ? null : next;
}

/** Why it must not run at this due instant of its; null: it may. */
export function hindrance(timing: Timing, dueMs: number): 'outside' | 'blackout' | null {
  if (timing.startMs !== null && dueMs < timing.startMs) return 'outside';
  if (timing.endMs !== null && dueMs >= timing.endMs) return 'outside';
  return timing.blackouts.some((blackout) => covers(blackout, dueMs)) ? 'blackout' : null;
}

function covers(blackout: Blackout, atMs: number): boolean {
  if (blackout.kind === 'once') return atMs >= blackout.fromMs && atMs < blackout.untilMs;
  // One that began less than its length ago is still going on.
  for (const begunMs of dueFrom(blackout.schedule, atMs - blackout.lastingMs + 1)) return begunMs <= atMs;
  return false;
}

/**
 * By how much later than due a job's runs begin: the same for it for ever, below `jitterMs`, and spread evenly over
 * jobs. What the ledger holds is the due instant all the same.
 */
export function jitterOf(job: string, jitterMs: number): number {
  if (jitterMs <= 0) return 0;
  const digest = createHash('sha256').update(job).digest();
  return Math.floor((digest.readUIntBE(0, 6) / 2 ** 48) * jitterMs);
}
