import type { Clock } from '../clock.ts';
import type { Alerts } from '../store/index.ts';
import { type AlertState, type AlertStep, nextSweepMs, observe, sweep } from './alerts.ts';
import type { Channel } from './config.ts';
import type { Gathering } from './gather.ts';
import { type Incident, sweepDueMs } from './incident.ts';
import type { Observation } from './observation.ts';
import { deliveriesOf } from './route.ts';

export interface AlertBookOptions {
  readonly store: Alerts;
  readonly clock: Clock;
  /** The channels as they are now. */
  readonly channels: () => readonly Channel[];
  /** How long news wait for others with the same cause. */
  readonly gatherMs: number;
  /** There are new deliveries in the store. */
  readonly onDeliveries: () => void;
}

/** From where to where an observation moves the cursor of the log; null: it does not come from there. */
export type CursorMove = { readonly from: number; readonly to: number } | null;

/**
 * The incidents in the store: each step reads there what it is about, and writes what became of it together with the
 * notices that follow. So a step is done or not done, whatever happens in the middle of it.
 */
export class AlertBook {
  readonly #options: AlertBookOptions;
  /** Jobs that may have an incident. For all others, that something is over is no news, and costs nothing. */
  readonly #troubled = new Set<string>();
  #nextSweepMs: number | null = null;

  constructor(options: AlertBookOptions) {
    this.#options = options;
  }

  /** When to `sweep` next; null: nothing waits. */
  get nextSweepMs(): number | null {
    return this.#nextSweepMs;
  }

  /** Looks into the store, before anything else: at the start, and when somebody else has changed it. */
  async open(): Promise<void> {
    for (const { job } of await this.incidents()) this.#troubled.add(job);
    this.#nextSweepMs = await this.#options.store.nextSweepMs();
  }

  /** Those that are not closed. */
  async incidents(): Promise<readonly Incident[]> {
    return await this.#options.store.open<Incident>();
  }

  /** Those of jobs of which one would change something: what opens an incident, and all of who may have one. */
  relevant(observations: readonly Observation[]): readonly Observation[] {
    const jobs = new Set(observations.filter((seen) => this.#matters(seen)).map(({ job }) => job));
    return observations.filter(({ job }) => jobs.has(job));
  }

  #matters({ kind, job }: Observation): boolean {
    switch (kind) {
      case 'failed':
      case 'late':
      case 'missed':
      case 'too_long':
        return true;
      default:
        return this.#troubled.has(job);
    }
  }

  /** False: the cursor is somewhere else by now, and nothing was done. */
  async observe(observations: readonly Observation[], cursor: CursorMove): Promise<boolean> {
    const nowMs = this.#options.clock.nowMs();
    const jobs = [...new Set(observations.map(({ job }) => job))];
    // Before the store says so: a job too many does no harm.
    for (const job of jobs) this.#troubled.add(job);
    const after = await this.#change(jobs, cursor, nowMs, (state) => {
      const fresh = observations.filter((seen) => !isKnown(seen, state.incidents));
      return observe(state, fresh, nowMs, this.#options.gatherMs);
    });
    if (after === null) return false;
    const troubled = new Set(after.incidents.map(({ job }) => job));
    for (const job of jobs) if (!troubled.has(job)) this.#troubled.delete(job);
    this.#nextSweepMs = earlier(this.#nextSweepMs, nextSweepMs(after));
    return true;
  }

  /** What time alone brings. */
  async sweep(): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    await this.#change([], null, nowMs, (state) => sweep(state, nowMs, this.#options.gatherMs));
    this.#nextSweepMs = await this.#options.store.nextSweepMs();
  }

  async #change(
    jobs: readonly string[],
    cursor: CursorMove,
    nowMs: number,
    step: (state: AlertState) => AlertStep,
  ): Promise<AlertState | null> {
    const { store, channels, onDeliveries } = this.#options;
    const scope = { jobs, nowMs, sweepDueMs, cursor };
    const after = await store.change<Incident, Gathering>(scope, (before) => {
      const { state, notices } = step(before);
      const deliveries = notices.flatMap((notice) => deliveriesOf(notice, channels(), nowMs));
      return { ...state, deliveries };
    });
    if (after !== null && after.deliveries.length > 0) onDeliveries();
    return after;
  }
}

/** A run that is late, or takes too long, is so once: whoever watches it begins anew after a restart. */
function isKnown({ kind, job, runKey }: Observation, incidents: readonly Incident[]): boolean {
  if (kind !== 'late' && kind !== 'too_long') return false;
  return incidents.some(
    (each) =>
      each.job === job && each.kind === kind && each.phase.state === 'open' && each.runs.includes(runKey),
  );
}

function earlier(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}
