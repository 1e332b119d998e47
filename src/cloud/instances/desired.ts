import type { JobDefinition } from '../jobs/index.ts';
import type { RunKey } from '../store/index.ts';
import type { Reading } from './backlog/index.ts';
import type { InstanceEnd, InstanceRun } from './run.ts';
import { afterEnd, type Slowdown } from './slowdown.ts';
import { highest, newest, noted, type Wants, wanting } from './wants.ts';

export type InstancesDefinition = NonNullable<JobDefinition['instances']>;

/** What has to be known beside of the runs that there are. */
export interface Memory {
  readonly wants: Wants;
  /** The last one that came off; null: none yet. */
  readonly backlog: { readonly count: number; readonly atMs: number } | null;
  /** Why the last look came to nothing, and since when. */
  readonly failure: { readonly error: string; readonly sinceMs: number } | null;
  readonly slowdown: Slowdown | null;
}

export interface Decision {
  /** How many there should be. */
  readonly wanted: number;
  readonly start: number;
  readonly cancel: readonly RunKey[];
  /** When to decide again even if nothing happens; null: no need. */
  readonly nextMs: number | null;
}

/** Of a job that is new here. As many as there are count as wanted until now, so that none is ended without a cool-down. */
export function freshMemory(runs: readonly InstanceRun[], nowMs: number): Memory {
  return { wants: wanting(staying(runs).length, nowMs), backlog: null, failure: null, slowdown: null };
}

/** A reading that failed changes nothing but what is told of it. */
export function withReading(
  memory: Memory,
  definition: InstancesDefinition,
  reading: Reading,
  nowMs: number,
): Memory {
  if (!reading.ok)
    return { ...memory, failure: { error: reading.error, sinceMs: memory.failure?.sinceMs ?? nowMs } };
  const count = wantedFor(definition, reading.backlog);
  return {
    ...memory,
    wants: noted(memory.wants, count, nowMs, definition.backlog?.cool_down_ms ?? 0),
    backlog: { count: reading.backlog, atMs: nowMs },
    failure: null,
  };
}

export function withEnd(memory: Memory, end: InstanceEnd, nowMs: number): Memory {
  return { ...memory, slowdown: afterEnd(memory.slowdown, end, nowMs) };
}

export function wantedFor(definition: InstancesDefinition, backlog: number): number {
  const { min, max } = definition;
  return clamp(Math.ceil(backlog / (definition.backlog?.per ?? 1)), min, max);
}

/**
 * What is to be done. With what it says done, and nothing else happening, the next decision is to do nothing.
 * @param isHeld the job is paused: it wants none
 */
export function decide(
  definition: InstancesDefinition,
  memory: Memory,
  runs: readonly InstanceRun[],
  nowMs: number,
  isHeld = false,
): Decision {
  const { count: wanted, untilMs } = isHeld ? { count: 0, untilMs: null } : target(definition, memory, nowMs);
  const present = staying(runs);
  if (present.length >= wanted)
    return { wanted, start: 0, cancel: surplus(present, wanted), nextMs: untilMs };
  // Those that are still ending count: `max` is what the others, databases for one, can take.
  const start = Math.min(wanted - present.length, Math.max(0, definition.max - runs.length));
  const slowedMs = memory.slowdown?.untilMs ?? nowMs;
  if (start === 0 || slowedMs <= nowMs) return { wanted, start, cancel: [], nextMs: untilMs };
  return { wanted, start: 0, cancel: [], nextMs: Math.min(slowedMs, untilMs ?? slowedMs) };
}

/** More are wanted at once; fewer only when nothing of the last cool-down has wanted more. */
function target(
  { min, max, backlog }: InstancesDefinition,
  { wants, backlog: read }: Memory,
  nowMs: number,
): { readonly count: number; readonly untilMs: number | null } {
  if (backlog === null) return { count: max, untilMs: null };
  // How many there were is not a wish: before the first reading nobody knows better.
  if (read === null) return { count: clamp(newest(wants).count, min, max), untilMs: null };
  const { count, untilMs } = highest(wants, nowMs, backlog.cool_down_ms);
  return { count: clamp(count, min, max), untilMs };
}

/** Those to be ended: what has not begun first, else the youngest. */
function surplus(present: readonly InstanceRun[], wanted: number): RunKey[] {
  const age = (run: InstanceRun) => run.startedMs ?? Number.POSITIVE_INFINITY;
  return present
    .toSorted((a, b) => compare(age(b), age(a)) || compare(b.createdMs, a.createdMs) || compare(b.key, a.key))
    .slice(0, present.length - wanted)
    .map(({ key }) => key);
}

export function staying(runs: readonly InstanceRun[]): readonly InstanceRun[] {
  return runs.filter(({ isEnding }) => !isEnding);
}

/** Two infinities are equal, and their difference is no number. */
function compare<T extends number | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function clamp(count: number, min: number, max: number): number {
  return Math.max(min, Math.min(max, count));
}
