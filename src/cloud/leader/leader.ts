import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import { Commits, Dispatcher, type RunRequest, specOf } from '../dispatch/index.ts';
import { HostHub } from '../hosts/index.ts';
import { type JobDefinition, timingOf } from '../jobs/index.ts';
import { dueInstants, hindrance, type Pause } from '../scheduler/index.ts';
import {
  type Applied,
  type AppliedJob,
  type Fence,
  type JobId,
  type JobPause,
  type RunCause,
  type RunKey,
  type RunRecord,
  type Store,
  StoreError,
  uuidV5,
} from '../store/index.ts';
import { Chains } from './chains.ts';
import { Feed } from './feed.ts';
import { Instances } from './instances.ts';
import { JobBook } from './job-book.ts';
import { Ticker } from './ticker.ts';
import { rulesOf } from './timelines.ts';

export interface LeaderOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** Of Rocksy. */
  readonly version: string;
  /** Who we are, of several instances. */
  readonly holder: string;
  /** Nobody else can lead: whoever did is dead. */
  readonly isAlone: boolean;
  readonly silentAfterMs: number;
  readonly lostAfterMs: number;
  readonly maxQueued: number;
  /** Whether a job may have a command of the cloud's own run, to count its backlog. */
  readonly allowsCommands: boolean;
  /** Somebody else leads now: this process has to end. */
  readonly deposed: (error: unknown) => void;
}

export const LEASE_MS = 10_000;
const LEASE = 'leader';
const PAUSE = 'pause';

/** The one that schedules and dispatches: everything that holds in memory what goes on. */
export class Leader implements AsyncDisposable {
  readonly #options: LeaderOptions;
  readonly #fence: Fence;
  readonly #renewing: NodeJS.Timeout;
  #renewed: Promise<void> = Promise.resolve();
  readonly #chains: Chains;
  readonly commits: Commits;
  readonly dispatcher: Dispatcher;
  readonly hub: HostHub;
  readonly book: JobBook;
  readonly ticker: Ticker;
  readonly instances: Instances;
  readonly feed: Feed;
  #pauseOfAll: JobPause | null = null;
  /** Until when the lease is ours for certain, by a clock that nobody sets. */
  #leasedUntil: number;

  /** Null: another instance leads. */
  static async start(options: LeaderOptions): Promise<Leader | null> {
    const sent = performance.now();
    const { store, holder, isAlone } = options;
    const fence = await store.leases.acquire(LEASE, holder, LEASE_MS, { force: isAlone });
    if (fence === null) return null;
    const leader = new Leader(options, fence, sent);
    await leader.#resume();
    return leader;
  }

  private constructor(options: LeaderOptions, fence: Fence, sent: number) {
    const { store, clock, log } = options;
    this.#options = options;
    this.#fence = fence;
    this.#leasedUntil = sent + LEASE_MS;
    this.#renewing = setInterval(() => {
      this.#renewed = this.#renew();
    }, LEASE_MS / 4);
    this.feed = new Feed({
      store,
      clock,
      failed: (err) => log.error({ err }, 'events that were missed can not be read: trying again'),
    });
    this.book = new JobBook(store);
    this.#chains = new Chains(this.book);
    this.commits = new Commits({
      write: (commit) => store.runs.commit(commit, fence),
      find: (keys) => store.runs.many(keys),
      nowMs: () => clock.nowMs(),
      published: (events, eventId) => this.feed.publish(events, eventId),
      failed: (err) => log.error({ err }, 'the store can not be written: trying again'),
      isFinal: (error) => error instanceof StoreError && error.code === 'lease_lost',
      lost: options.deposed,
    });
    this.dispatcher = new Dispatcher({
      clock,
      commits: this.commits,
      random: Math.random,
      silentAfterMs: options.silentAfterMs,
      lostAfterMs: options.lostAfterMs,
      maxQueued: options.maxQueued,
      isKnown: async (wireKey) => (await store.runs.keyOfAttempt(wireKey)) !== null,
      ended: (run, phase) => {
        this.instances.ended(run, phase);
        return this.#chains.ended(run, phase.outcome, clock.nowMs());
      },
      warn: (message, fields) => log.warn(fields, message),
    });
    this.instances = new Instances({
      clock,
      book: this.book,
      dispatcher: this.dispatcher,
      isPaused: () => this.pauseOfAll !== null,
      allowsCommands: options.allowsCommands,
      warn: (message, fields) => log.warn(fields, message),
    });
    this.hub = new HostHub({
      store,
      dispatcher: this.dispatcher,
      log,
      nowMs: () => clock.nowMs(),
      changed: ({ id, name, contact }) => void this.tell({ kind: 'host', id, name, contact }),
    });
    this.ticker = new Ticker({
      clock,
      store,
      book: this.book,
      dispatcher: this.dispatcher,
      fence,
      maxQueued: options.maxQueued,
      rules: rulesOf(options.version),
      pauseOfAll: () => this.#schedulerPause(),
      published: (events, eventId) => this.feed.publish(events, eventId),
      failed: (err) => {
        if (err instanceof StoreError && err.code === 'lease_lost') options.deposed(err);
        else log.error({ err }, 'what is due can not be written: trying again');
      },
    });
  }

  async #resume(): Promise<void> {
    const { store } = this.#options;
    await store.idempotencyKeys.forgetPending();
    this.#pauseOfAll = await store.settings.get<JobPause>(PAUSE);
    for await (const job of store.jobs.each()) this.book.put(job);
    await this.book.settle();
    this.#chains.resume(await store.runs.arrivals());
    await this.feed.start();
    await this.hub.load();
    this.dispatcher.resume(await Array.fromAsync(store.runs.active()));
    await this.ticker.start();
    this.instances.start();
  }

  /** By our own clock, counted from before it was asked for: the lease may end earlier there, never later here. */
  async #renew(): Promise<void> {
    const { store, log, deposed } = this.#options;
    const sent = performance.now();
    try {
      if (await store.leases.renew(this.#fence, LEASE_MS)) this.#leasedUntil = sent + LEASE_MS;
      else deposed(new StoreError('lease_lost', 'another instance leads'));
    } catch (err) {
      log.error({ err }, 'the lease could not be renewed');
      // Nothing can be written without it anyway: the fence is looked at in each transaction.
      if (performance.now() > this.#leasedUntil + LEASE_MS) log.error('nobody leads for the moment');
    }
  }

  get pauseOfAll(): JobPause | null {
    const { clock } = this.#options;
    const pause = this.#pauseOfAll;
    return pause !== null && (pause.untilMs === null || pause.untilMs > clock.nowMs()) ? pause : null;
  }

  #schedulerPause(): (Pause & { readonly reason: string | null }) | null {
    const pause = this.#pauseOfAll;
    return pause === null ? null : { fromMs: pause.sinceMs, untilMs: pause.untilMs, reason: pause.reason };
  }

  /** An event of its own, beside those of runs. */
  async tell(...events: readonly object[]): Promise<void> {
    const { store, clock, log } = this.#options;
    try {
      const id = await store.events.append(events, clock.nowMs());
      if (id !== null) this.feed.publish(events, id);
    } catch (err) {
      log.warn({ err }, 'an event could not be written');
    }
  }

  /** Makes jobs of projects what the definitions say. */
  async apply(
    definitions: readonly JobDefinition[],
    options: { readonly by: string; readonly prune: readonly string[]; readonly dryRun: boolean },
  ): Promise<Applied> {
    const { store } = this.#options;
    const applied = await this.ticker.between(async (nowMs) => {
      const done = await store.jobs.apply(definitions, { ...options, nowMs });
      if (options.dryRun) return done;
      for (const { id } of done.removed) {
        this.book.remove(id);
        this.ticker.removed(id);
      }
      for (const job of done.jobs) this.book.put(job);
      for (const { id } of done.jobs) this.ticker.changed(id);
      await this.book.settle();
      for (const { id } of [...done.removed, ...done.jobs]) this.instances.changed(id);
      return done;
    });
    if (options.dryRun) return applied;
    const event = ({ id, definition }: AppliedJob, change: string): object => ({
      kind: 'job',
      project: definition.project,
      job_id: id,
      job: definition.name,
      change,
    });
    await this.tell(
      ...applied.removed.map((job) => event(job, 'removed')),
      ...applied.jobs.map((job) => event(job, job.version === 1 ? 'created' : 'changed')),
    );
    return applied;
  }

  async remove({ id, definition: { project, name } }: AppliedJob): Promise<void> {
    const { store } = this.#options;
    await this.ticker.between(async (nowMs) => {
      await store.jobs.remove(id, nowMs);
      this.book.remove(id);
      this.ticker.removed(id);
      this.instances.changed(id);
    });
    await this.tell({ kind: 'job', project, job_id: id, job: name, change: 'removed' });
  }

  /** Null: it is resumed. What was due before now is decided as it was until now. */
  async pauseJob(id: JobId, pause: JobPause | null): Promise<void> {
    const { store } = this.#options;
    const job = await this.ticker.between(async () => {
      await this.ticker.catchUp([id]);
      await store.jobs.setPause(id, pause);
      const paused = await store.jobs.get(id);
      if (paused === null || paused.deletedMs !== null) return null;
      this.book.put(paused);
      await this.book.settle();
      this.instances.changed(id);
      return paused;
    });
    if (job === null) return;
    const { project, name } = job.definition;
    await this.tell({
      kind: 'job',
      project,
      job_id: id,
      job: name,
      change: pause === null ? 'resumed' : 'paused',
    });
  }

  async pauseEverything(pause: JobPause | null): Promise<void> {
    await this.ticker.between(async () => {
      await this.ticker.catchUp([...this.book.all].map(({ id }) => id));
      await this.#options.store.settings.set(PAUSE, pause);
      this.#pauseOfAll = pause;
      this.instances.allChanged(pause?.untilMs ?? null);
    });
    await this.tell({ kind: 'pause', pause });
  }

  /** A run of a job that nobody's schedule wants. False: there is one of this key. */
  async trigger(
    job: { readonly id: JobId; readonly version: number; readonly definition: JobDefinition },
    wanted: {
      readonly key?: string | undefined;
      readonly params?: readonly unknown[] | undefined;
      readonly priority?: number | undefined;
      readonly cause: RunCause;
    },
  ): Promise<{ readonly key: RunKey; readonly isNew: boolean }> {
    const { definition } = job;
    const nowMs = this.#options.clock.nowMs();
    const key = (wanted.key ?? randomUUID()) as RunKey;
    const isNew = await this.dispatcher.add({
      key,
      jobId: job.id,
      job: definition.name,
      jobVersion: job.version,
      project: definition.project,
      pool: definition.pool,
      spec: specOf(definition, { params: wanted.params }),
      cause: wanted.cause,
      priority: wanted.priority ?? definition.priority,
      queuedMs: nowMs,
      dueMs: null,
      notBeforeMs: nowMs,
    });
    return { key, isNew };
  }

  /** A run that is like another one. */
  async rerun(former: RunRecord, by: { readonly key?: string | undefined }): Promise<RunKey> {
    const nowMs = this.#options.clock.nowMs();
    const key = (by.key ?? randomUUID()) as RunKey;
    const { jobId, job, jobVersion, project, pool, spec, priority, dueMs } = former;
    const request = {
      ...{ key, jobId, job, jobVersion, project, pool, priority, dueMs },
      spec: spec as RunRequest['spec'],
    };
    await this.dispatcher.add({
      ...request,
      cause: { kind: 'rerun', ref: former.key },
      queuedMs: nowMs,
      notBeforeMs: nowMs,
    });
    return key;
  }

  /** A run for each time that a job was, or would have been, due; so many of them at a time. */
  async backfill(
    job: { readonly id: JobId; readonly version: number; readonly definition: JobDefinition },
    period: {
      readonly fromMs: number;
      readonly toMs: number;
      readonly parallel: number;
      readonly dryRun: boolean;
    },
  ): Promise<{ readonly due: readonly number[]; readonly created: number }> {
    const { definition } = job;
    const timing = timingOf(definition);
    const due = dueInstants(timing, period.fromMs, period.toMs).filter(
      (at) => hindrance(timing, at) === null,
    );
    if (period.dryRun) return { due, created: 0 };
    const name = `backfill ${job.id} ${period.fromMs} ${period.toMs}`;
    const spec = specOf(definition, { group: { name, max: period.parallel } });
    const nowMs = this.#options.clock.nowMs();
    let created = 0;
    for (const dueMs of due) {
      // The same period again makes no second run.
      const isNew = await this.dispatcher.add({
        key: uuidV5(job.id, `backfill/${dueMs}`) as RunKey,
        jobId: job.id,
        job: definition.name,
        jobVersion: job.version,
        project: definition.project,
        pool: definition.pool,
        spec: { ...spec, limit: null },
        cause: { kind: 'backfill', ref: name },
        priority: definition.priority,
        queuedMs: nowMs,
        dueMs,
        notBeforeMs: nowMs,
      });
      if (isNew) created++;
    }
    return { due, created };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#renewing);
    this.feed[Symbol.dispose]();
    await this.instances[Symbol.asyncDispose]();
    await this.ticker.stop();
    await this.hub.close();
    await this.commits.flush();
    this.dispatcher[Symbol.dispose]();
    // One that comes after the release would take the lease back.
    await this.#renewed;
    await this.#options.store.leases.release(this.#fence);
  }
}
