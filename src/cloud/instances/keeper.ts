import type { Agenda } from '../agenda.ts';
import type { Clock } from '../clock.ts';
import type { JobId } from '../store/index.ts';
import type { ReadBacklog } from './backlog/index.ts';
import { type KeeperPorts, Kept, type KeptJob } from './kept.ts';
import type { InstanceEnd } from './run.ts';
import { Turns } from './turns.ts';
import type { InstancesView } from './view.ts';

export type { KeeperPorts, KeptJob } from './kept.ts';

export interface InstanceKeeperOptions {
  /** All jobs that want instances; others may be among them. */
  readonly jobs: () => Iterable<KeptJob>;
  readonly ports: KeeperPorts;
  readonly clock: Clock;
  readonly agenda: Agenda;
  readonly read: ReadBacklog;
  readonly warn: (message: string, fields: object) => void;
}

const LOOKS_AT_ONCE = 8;

/**
 * Keeps as many runs of each job as its definition asks for: one of these at a time, in whoever leads. It knows nothing that
 * it could not learn anew; after a change of the leader only cool-downs and slowdowns begin again.
 */
export class InstanceKeeper implements AsyncDisposable {
  readonly #options: InstanceKeeperOptions;
  readonly #kept = new Map<JobId, Kept>();
  readonly #turns = new Turns(LOOKS_AT_ONCE);
  readonly #stop = new AbortController();
  /** Looks that are going on. */
  readonly #looks = new Set<Promise<unknown>>();
  /** Of these something has changed; null: of all. */
  #changed: Set<JobId> | null = new Set();
  #willUpdate = false;

  constructor(options: InstanceKeeperOptions) {
    this.#options = options;
  }

  /** Takes on all jobs, once the runs that there are are known. */
  start(): void {
    this.#changed = null;
    this.#updateSoon();
  }

  /** A run of this job has changed, or its definition has, or it was paused or resumed; it is new, or is gone. */
  changed(jobId: JobId): void {
    this.#changed?.add(jobId);
    this.#updateSoon();
  }

  /** A run of this job has ended. `changed` need not be called for it. */
  ended(jobId: JobId, end: InstanceEnd): void {
    const kept = this.#kept.get(jobId);
    if (kept === undefined) return;
    kept.ended(end);
    this.changed(jobId);
  }

  /** Null: it has no instances. */
  viewOf(jobId: JobId): InstancesView | null {
    return this.#kept.get(jobId)?.view ?? null;
  }

  /** Once for all that happens in this turn, and never in the middle of what tells of it. */
  #updateSoon(): void {
    if (this.#willUpdate || this.#stop.signal.aborted) return;
    this.#willUpdate = true;
    queueMicrotask(() => {
      this.#willUpdate = false;
      if (!this.#stop.signal.aborted) this.#update();
    });
  }

  #update(): void {
    const changed = this.#changed;
    this.#changed = new Set();
    const missing = new Set(changed ?? this.#kept.keys());
    for (const job of this.#options.jobs()) {
      if (changed !== null && !changed.has(job.jobId)) continue;
      if (this.#keep(job)) missing.delete(job.jobId);
    }
    for (const jobId of missing) {
      this.#kept.get(jobId)?.dismiss();
      this.#kept.delete(jobId);
    }
  }

  /** False: it wants no instances. */
  #keep(job: KeptJob): boolean {
    // What an earlier release has stored does not have the key.
    const definition = job.definition.instances ?? null;
    if (definition === null) return false;
    const kept = this.#kept.get(job.jobId);
    if (kept === undefined) {
      const { ports, clock, agenda, warn } = this.#options;
      const options = { ports, clock, agenda, warn, read: this.#read, turns: this.#turns };
      this.#kept.set(job.jobId, new Kept(job, definition, { ...options, signal: this.#stop.signal }));
    } else {
      kept.update(job, definition);
      kept.decide();
    }
    return true;
  }

  readonly #read: ReadBacklog = (from, signal) => {
    const look = this.#options.read(from, signal);
    this.#looks.add(look);
    return look.finally(() => this.#looks.delete(look));
  };

  /** Looks are broken off. Runs go on: whoever leads next finds them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for (const kept of this.#kept.values()) kept.stop();
    await Promise.allSettled(this.#looks);
    this.#kept.clear();
  }
}
