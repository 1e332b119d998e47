import { isDeepStrictEqual } from 'node:util';
import type { Agenda } from '../agenda.ts';
import type { Clock } from '../clock.ts';
import type { JobDefinition } from '../jobs/index.ts';
import type { JobId, RunKey } from '../store/index.ts';
import type { ReadBacklog, Reading } from './backlog/index.ts';
import {
  decide,
  freshMemory,
  type InstancesDefinition,
  type Memory,
  staying,
  withEnd,
  withReading,
} from './desired.ts';
import type { InstanceEnd, InstanceRun } from './run.ts';
import type { Turns } from './turns.ts';
import type { InstancesView } from './view.ts';

/** A job of which there may be instances. */
export interface KeptJob {
  readonly jobId: JobId;
  readonly project: string;
  readonly name: string;
  readonly definition: JobDefinition;
  /** By itself or with all others: it wants no instances. */
  readonly isPaused?: boolean;
}

export interface KeeperPorts {
  /** Those of a job that have not ended. */
  runsOf(jobId: JobId): Iterable<InstanceRun>;
  /** Makes so many runs of a job. When it resolves, `runsOf` has them; when it rejects, it is tried again later. */
  start(jobId: JobId, count: number): Promise<unknown>;
  /** Wants a run to end. From then on `runsOf` has it as ending, or has it no longer. */
  cancel(key: RunKey): unknown;
}

export interface KeepingOptions {
  readonly ports: KeeperPorts;
  readonly clock: Clock;
  readonly agenda: Agenda;
  readonly read: ReadBacklog;
  /** Looks of all jobs. */
  readonly turns: Turns;
  readonly signal: AbortSignal;
  readonly warn: (message: string, fields: object) => void;
}

/** After runs could not be made: the store is away, or the queue is full. */
const RETRY_MS = 5_000;

/** The instances of one job. One look at a time, and no decision while runs are being made. */
export class Kept {
  readonly #options: KeepingOptions;
  #job: KeptJob;
  #definition: InstancesDefinition;
  #memory: Memory;
  #nextLook: Disposable | null = null;
  #nextDecision: Disposable | null = null;
  /** Of definition and pause: what was read for an earlier one does not count. */
  #version = 1;
  #isLooking = false;
  #isStarting = false;
  #isGone = false;
  #isDismissed = false;

  constructor(job: KeptJob, definition: InstancesDefinition, options: KeepingOptions) {
    this.#options = options;
    this.#job = job;
    this.#definition = definition;
    this.#memory = freshMemory(this.#runs(), options.clock.nowMs());
    this.#lookNow();
    this.decide();
  }

  /** Its definition may be another one, and it may be paused or not. */
  update(job: KeptJob, definition: InstancesDefinition): void {
    const isSame =
      isDeepStrictEqual(definition, this.#definition) &&
      isDeepStrictEqual(job.definition, this.#job.definition) &&
      isHeld(job) === isHeld(this.#job);
    this.#job = job;
    if (isSame) return;
    this.#definition = definition;
    this.#version++;
    // What crashed may be mended, and what was counted be another thing.
    this.#memory = freshMemory(this.#runs(), this.#options.clock.nowMs());
    this.#lookNow();
  }

  ended(end: InstanceEnd): void {
    this.#memory = withEnd(this.#memory, end, this.#options.clock.nowMs());
  }

  /** The job is gone, or wants no instances any more: those that there are shall end. */
  dismiss(): void {
    this.stop();
    this.#isDismissed = true;
    this.#cancelAll();
  }

  #cancelAll(): void {
    for (const { key } of staying(this.#runs())) this.#options.ports.cancel(key);
  }

  /** Nothing is started or ended from now on. */
  stop(): void {
    this.#isGone = true;
    this.#nextLook?.[Symbol.dispose]();
    this.#nextDecision?.[Symbol.dispose]();
  }

  get view(): InstancesView {
    const runs = this.#runs();
    const nowMs = this.#options.clock.nowMs();
    const { backlog, failure, slowdown } = this.#memory;
    const present = staying(runs).length;
    return {
      wanted: decide(this.#definition, this.#memory, runs, nowMs, isHeld(this.#job)).wanted,
      present,
      ending: runs.length - present,
      backlog: backlog?.count ?? null,
      backlog_at_ms: backlog?.atMs ?? null,
      backlog_error: failure?.error ?? null,
      backlog_failing_since_ms: failure?.sinceMs ?? null,
      slowed_until_ms: slowdown !== null && slowdown.untilMs > nowMs ? slowdown.untilMs : null,
    };
  }

  decide(): void {
    if (this.#isGone || this.#isStarting) return;
    const { ports, clock } = this.#options;
    const nowMs = clock.nowMs();
    const decision = decide(this.#definition, this.#memory, this.#runs(), nowMs, isHeld(this.#job));
    this.#decideAt(decision.nextMs);
    for (const key of decision.cancel) ports.cancel(key);
    if (decision.start > 0) void this.#start(decision.start);
  }

  async #start(count: number): Promise<void> {
    const { ports, clock, warn } = this.#options;
    this.#isStarting = true;
    let failure: { readonly err: unknown } | null = null;
    try {
      await ports.start(this.#job.jobId, count);
    } catch (err) {
      failure = { err };
    }
    this.#isStarting = false;
    // Those that were under way when the job went.
    if (this.#isDismissed) this.#cancelAll();
    if (this.#isGone) return;
    // What happened meanwhile was not looked at.
    if (failure === null) return this.decide();
    warn(`instances of ${this.#place} could not be started`, { ...failure, count });
    this.#decideAt(clock.nowMs() + RETRY_MS);
  }

  #decideAt(atMs: number | null): void {
    this.#nextDecision?.[Symbol.dispose]();
    this.#nextDecision = atMs === null ? null : this.#options.agenda.at(atMs, () => this.decide());
  }

  /** The look that is going on, if there is one, is followed by another. */
  #lookNow(): void {
    this.#nextLook?.[Symbol.dispose]();
    this.#nextLook = null;
    if (!this.#isLooking) void this.#look();
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    for (;;) {
      const version = this.#version;
      const nextMs = await this.#lookOnce(version);
      if (version !== this.#version && !this.#isGone) continue;
      this.#isLooking = false;
      if (nextMs !== null && !this.#isGone)
        this.#nextLook = this.#options.agenda.at(nextMs, () => this.#lookNow());
      return;
    }
  }

  /** When to look again; null: for now there is nothing to look at. */
  async #lookOnce(version: number): Promise<number | null> {
    const { clock, turns, read, signal } = this.#options;
    const { backlog } = this.#definition;
    if (backlog === null || this.#isGone || isHeld(this.#job)) return null;
    // It may have to wait for its turn, and what it would look at be of no use by then.
    const isUseless = () => version !== this.#version || this.#isGone;
    return turns.take(async () => {
      if (isUseless()) return null;
      const beganMs = clock.nowMs();
      const reading = await read(backlog.from, signal);
      if (isUseless()) return null;
      this.#note(reading);
      this.decide();
      return Math.max(clock.nowMs(), beganMs + backlog.every_ms);
    });
  }

  #note(reading: Reading): void {
    const { clock, warn } = this.#options;
    const said = this.#memory.failure?.error;
    this.#memory = withReading(this.#memory, this.#definition, reading, clock.nowMs());
    if (!reading.ok && reading.error !== said)
      warn(`the backlog of ${this.#place} can not be read: the last number holds`, {
        error: reading.error,
        backlog: this.#memory.backlog?.count ?? null,
      });
  }

  #runs(): readonly InstanceRun[] {
    return [...this.#options.ports.runsOf(this.#job.jobId)];
  }

  get #place(): string {
    return `${this.#job.project}/${this.#job.name}`;
  }
}

/** Nothing of a shadow is run. */
function isHeld({ isPaused = false, definition }: KeptJob): boolean {
  return isPaused || definition.shadow;
}
