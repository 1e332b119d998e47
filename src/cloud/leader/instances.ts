import { randomUUID } from 'node:crypto';
import { Agenda } from '../agenda.ts';
import type { Clock } from '../clock.ts';
import { type Dispatcher, type Phase, type RunRequest, specOf } from '../dispatch/index.ts';
import { backlogReader, InstanceKeeper, type InstanceRun, type InstancesView } from '../instances/index.ts';
import type { JobId, RunKey } from '../store/index.ts';
import type { JobBook } from './job-book.ts';

export interface InstancesOptions {
  readonly clock: Clock;
  readonly book: JobBook;
  readonly dispatcher: Dispatcher;
  readonly isPaused: () => boolean;
  /** Whether a definition may have a command of the cloud's own run, to count a backlog. */
  readonly allowsCommands: boolean;
  readonly warn: (message: string, fields: object) => void;
}

/** The instances of jobs, as runs of the dispatcher. */
export class Instances implements AsyncDisposable {
  readonly #options: InstancesOptions;
  readonly #agenda: Agenda;
  readonly #keeper: InstanceKeeper;

  constructor(options: InstancesOptions) {
    const { clock, dispatcher, allowsCommands, warn } = options;
    this.#options = options;
    this.#agenda = new Agenda(clock);
    this.#keeper = new InstanceKeeper({
      clock,
      warn,
      agenda: this.#agenda,
      jobs: () => this.#jobs(),
      read: backlogReader({ env: process.env, allowsCommands }),
      ports: {
        runsOf: (jobId) => this.#runsOf(jobId),
        start: (jobId, count) => this.#start(jobId, count),
        cancel: (key) => dispatcher.cancel(key, 'instances'),
      },
    });
  }

  start(): void {
    this.#keeper.start();
  }

  /** The job or its pause has changed. */
  changed(jobId: JobId): void {
    this.#keeper.changed(jobId);
    const untilMs = this.#options.book.get(jobId)?.pause?.untilMs ?? null;
    if (untilMs !== null) this.#agenda.at(untilMs, () => this.#keeper.changed(jobId));
  }

  /** All jobs were paused, perhaps until a time, or resumed. */
  allChanged(untilMs: number | null): void {
    const tell = () => {
      for (const { jobId } of this.#jobs()) this.#keeper.changed(jobId);
    };
    tell();
    if (untilMs !== null) this.#agenda.at(untilMs, tell);
  }

  ended({ jobId, cause, queuedMs }: RunRequest, phase: Phase & { readonly state: 'ended' }): void {
    if (jobId === null || cause.kind !== 'instance') return;
    const { startedMs, endedMs, outcome } = phase;
    const wasCancelled = outcome.name === 'cancelled';
    this.#keeper.ended(jobId, { createdMs: queuedMs, startedMs, endedMs, wasCancelled });
  }

  viewOf(jobId: JobId): InstancesView | null {
    return this.#keeper.viewOf(jobId);
  }

  *#jobs() {
    const { book, isPaused, clock } = this.#options;
    for (const { id: jobId, project, name, definition, pause } of book.all) {
      if (definition?.instances == null) continue;
      const isOwn = pause !== null && (pause.untilMs === null || pause.untilMs > clock.nowMs());
      yield { jobId, project, name, definition, isPaused: isOwn || isPaused() };
    }
  }

  *#runsOf(jobId: JobId): Iterable<InstanceRun> {
    const { dispatcher } = this.#options;
    const { begun, waiting } = dispatcher.ongoing(jobId);
    for (const key of [...begun, ...waiting]) {
      const active = dispatcher.find(key);
      if (active === null || active.created.cause.kind !== 'instance') continue;
      const { phase } = active.run;
      const startedMs = phase.state === 'running' || phase.state === 'unreachable' ? phase.startedMs : null;
      yield {
        key,
        startedMs,
        createdMs: active.created.queuedMs,
        isEnding: active.cancelRequestedMs !== null,
      };
    }
  }

  async #start(jobId: JobId, count: number): Promise<void> {
    const { book, dispatcher, clock } = this.#options;
    const entry = book.get(jobId);
    const definition = entry?.definition;
    if (entry === undefined || definition == null) return;
    const nowMs = clock.nowMs();
    const requests = Array.from({ length: count }, () => ({
      key: randomUUID() as string as RunKey,
      jobId,
      job: definition.name,
      jobVersion: entry.version,
      project: definition.project,
      pool: definition.pool,
      spec: specOf(definition),
      cause: { kind: 'instance', ref: null } as const,
      priority: definition.priority,
      queuedMs: nowMs,
      dueMs: null,
      notBeforeMs: nowMs,
    }));
    await Promise.all(requests.map((request) => dispatcher.add(request)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#keeper[Symbol.asyncDispose]();
    this.#agenda[Symbol.dispose]();
  }
}
