import { Agenda } from '../agenda.ts';
import type { Clock } from '../clock.ts';
import type { RunRecord } from '../store/index.ts';
import type { RunEvent } from './event.ts';
import type { Observation } from './observation.ts';

/** What a job expects of its runs; null: nothing. */
export interface Expectation {
  /** After it was due. */
  readonly begun_within_ms: number | null;
  /** After it has begun. */
  readonly ended_within_ms: number | null;
}

export interface ExpectationsOptions {
  readonly clock: Clock;
  readonly expectOf: (jobId: string) => Expectation | null;
  /** Takes in what is seen when it asks for it: what was true when the time was up may not be any more. */
  readonly observe: (look: () => readonly Observation[]) => void;
}

/** A run of a job that expects something, until it ends. */
interface Watched {
  readonly key: string;
  readonly job: string;
  phase: 'waiting' | 'begun';
  /** Of this attempt, if it is under way. */
  attempt: number | null;
  timer: Disposable | null;
}

/** Watches how long runs wait and go on: one timer for each run of a job that has said how long that may be. */
export class Expectations implements Disposable {
  readonly #options: ExpectationsOptions;
  readonly #agenda: Agenda;
  readonly #watched = new Map<string, Watched>();

  constructor(options: ExpectationsOptions) {
    this.#options = options;
    this.#agenda = new Agenda(options.clock);
  }

  /** How many runs are watched. */
  get size(): number {
    return this.#watched.size;
  }

  /** At the start: all runs that have not ended. */
  begin(runs: readonly RunRecord[]): void {
    for (const run of runs) {
      const { key, jobId, job, project, cause, dueMs, queuedMs, state, attempt, startedMs } = run;
      if (jobId === null || job === null || state === 'ended') continue;
      const event = { key, jobId, job: `${project}/${job}`, cause: cause.kind, dueMs };
      const watched = this.#watch(event, queuedMs, attempt > 1 || startedMs !== null);
      if (watched !== null && startedMs !== null && state !== 'queued')
        this.#goesOn(watched, jobId, attempt, startedMs);
    }
  }

  /** What has become of a run; `atMs`: when that was written. */
  seen(event: RunEvent, atMs: number): void {
    if (event.state === 'ended') {
      this.#forget(event.key);
      return;
    }
    const hasBegun = event.attempt > 1 || event.state === 'running';
    const watched = this.#watched.get(event.key) ?? this.#watch(event, atMs, hasBegun);
    if (watched === null) return;
    if (hasBegun && watched.phase === 'waiting') {
      watched.phase = 'begun';
      this.#setTimer(watched, null);
    }
    if (event.state === 'running') this.#goesOn(watched, event.jobId, event.attempt, event.startedMs ?? atMs);
    // It waits to be tried again. A silent host's run goes on, for all that is known.
    else if (event.state === 'queued' && watched.phase === 'begun') this.#pauses(watched);
  }

  #watch(
    { key, jobId, job, cause, dueMs }: Pick<RunEvent, 'key' | 'jobId' | 'job' | 'cause' | 'dueMs'>,
    queuedMs: number,
    hasBegun: boolean,
  ): Watched | null {
    const { begun_within_ms: withinMs = null, ended_within_ms: endedMs = null } =
      this.#options.expectOf(jobId) ?? {};
    if (endedMs === null && (withinMs === null || hasBegun)) return null;
    const phase = hasBegun ? 'begun' : 'waiting';
    const watched: Watched = { key, job, phase, attempt: null, timer: null };
    this.#watched.set(key, watched);
    if (hasBegun || withinMs === null) return watched;
    // Whoever asks for what was due long ago (a backfill, a run again) does not expect it to have begun by then.
    const sinceMs = cause === 'schedule' ? (dueMs ?? queuedMs) : queuedMs;
    this.#setTimer(watched, {
      atMs: sinceMs + withinMs,
      holds: () => watched.phase === 'waiting',
      observation: { job, kind: 'late', cause: `not begun within ${durationText(withinMs)}`, runKey: key },
    });
    return watched;
  }

  #goesOn(watched: Watched, jobId: string, attempt: number, startedMs: number): void {
    if (watched.attempt === attempt) return;
    const { ended_within_ms: withinMs = null } = this.#options.expectOf(jobId) ?? {};
    watched.attempt = attempt;
    if (withinMs === null) return;
    const { job, key } = watched;
    this.#setTimer(watched, {
      atMs: startedMs + withinMs,
      holds: () => watched.attempt === attempt,
      observation: {
        job,
        kind: 'too_long',
        cause: `not ended within ${durationText(withinMs)}`,
        runKey: key,
      },
    });
  }

  #pauses(watched: Watched): void {
    watched.attempt = null;
    this.#setTimer(watched, null);
  }

  #forget(key: string): void {
    const watched = this.#watched.get(key);
    if (watched === undefined) return;
    this.#setTimer(watched, null);
    this.#watched.delete(key);
  }

  #setTimer(
    watched: Watched,
    timer: {
      readonly atMs: number;
      readonly holds: () => boolean;
      readonly observation: Omit<Observation, 'atMs'>;
    } | null,
  ): void {
    watched.timer?.[Symbol.dispose]();
    watched.timer = null;
    if (timer === null) return;
    const { atMs, holds, observation } = timer;
    watched.timer = this.#agenda.at(atMs, () => {
      watched.timer = null;
      this.#options.observe(() => {
        const isSo = this.#watched.get(watched.key) === watched && holds();
        return isSo ? [{ ...observation, atMs }] : [];
      });
    });
  }

  [Symbol.dispose](): void {
    this.#agenda[Symbol.dispose]();
    this.#watched.clear();
  }
}

const UNITS: readonly (readonly [ms: number, name: string])[] = [
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
  [1, 'ms'],
];

/** In the largest unit that needs no fraction. */
function durationText(ms: number): string {
  const [unitMs, name] = UNITS.find(([unit]) => ms >= unit && ms % unit === 0) ?? [1, 'ms'];
  return `${ms / unitMs} ${name}`;
}
