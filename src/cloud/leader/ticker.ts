import type { Clock } from '../clock.ts';
import { type Dispatcher, eventOfNew, type RunRequest, specOf } from '../dispatch/index.ts';
import { Heap } from '../heap.ts';
import { type JobDefinition, timingOf } from '../jobs/index.ts';
import {
  dueInstants,
  type Fire,
  firesWithin,
  jitterOf,
  nextDue,
  type Pause,
  type Version,
} from '../scheduler/index.ts';
import { type Decision, type Fence, type JobId, type RunKey, runKeyOf, type Store } from '../store/index.ts';
import { decide, type Verdict } from './decide.ts';
import type { JobBook, JobEntry } from './job-book.ts';

export interface TickerOptions {
  readonly clock: Clock;
  readonly store: Store;
  readonly book: JobBook;
  readonly dispatcher: Dispatcher;
  readonly fence: Fence;
  readonly maxQueued: number;
  /** All jobs are paused. */
  readonly pauseOfAll: () => (Pause & { readonly reason: string | null }) | null;
  readonly published: (events: readonly unknown[], eventId: number) => void;
  /** The store can't be reached: it is tried again. */
  readonly failed: (error: unknown) => void;
}

/** Up to where a job's fires have been decided, and when the next one is due. */
interface Timeline {
  decidedMs: number;
  nextMs: number | null;
}

/** What was decided of a job's fires, before it is in the store. */
interface Pass {
  readonly id: JobId;
  readonly decisions: readonly Decision[];
  readonly requests: ReadonlyMap<RunKey, RunRequest>;
  readonly cancelled: readonly { readonly key: RunKey; readonly by: string }[];
  readonly untilMs: number;
  readonly nextMs: number | null;
}

const WATERMARK = 'scheduler.decided_until';
/** How often it is written down up to where all is decided. What lies behind it is computed anew after a crash. */
const WATERMARK_MS = 10_000;
const JOBS_AT_ONCE = 200;
/** Of a job, so much time in one go: after an outage of a year the others need not wait for it. */
const WINDOW_MS = 86_400_000;
const RETRY_MS = 1_000;
/** Of one pass; streams of events need not show a year of skipped seconds. */
const MAX_EVENTS = 500;

/** Makes runs of what is due: the clock's edge of the scheduler. What is due is computed, never remembered. */
export class Ticker {
  readonly #options: TickerOptions;
  readonly #timelines = new Map<JobId, Timeline>();
  readonly #heap = new Heap<{ readonly dueMs: number; readonly id: JobId }>((a, b) => a.dueMs < b.dueMs);
  /** Fires that a former leader has decided beyond the watermark. */
  #recorded = new Set<string>();
  #savedMs = 0;
  #timer: Disposable | null = null;
  #working: Promise<void> | null = null;
  #again = false;
  #isStopped = false;
  /** How late the latest fire was noticed. */
  latenessMs = 0;

  constructor(options: TickerOptions) {
    this.#options = options;
  }

  /** Goes on from where the last leader was. */
  async start(): Promise<void> {
    const { store, book, clock } = this.#options;
    const nowMs = clock.nowMs();
    const watermark = await store.settings.getOrSet(WATERMARK, nowMs);
    this.#savedMs = watermark;
    const recorded = await store.ledger.since(watermark);
    this.#recorded = new Set(recorded.map(({ jobId, dueMs }) => `${jobId} ${dueMs}`));
    for (const { id } of await store.jobs.deletedSince(watermark)) await this.#last(id, watermark);
    let slice: JobEntry[] = [];
    const schedule = async () => {
      const scheduled = slice;
      slice = [];
      const definitions = await book.definitions(scheduled.map(({ id }) => id));
      for (const entry of scheduled) {
        const definition = definitions.get(entry.id);
        if (definition !== undefined) this.#schedule(entry, definition, watermark);
      }
    };
    for (const entry of book.all) {
      if (!entry.isScheduled && entry.updatedMs < watermark) continue;
      if (slice.push(entry) === JOBS_AT_ONCE) await schedule();
    }
    await schedule();
    this.#work();
  }

  /** Of a job that changed after `decidedMs` its former definitions count as well: it is looked at right away. */
  #schedule(entry: JobEntry, definition: JobDefinition, decidedMs: number): void {
    const nextMs = entry.updatedMs > decidedMs ? decidedMs : nextDue(timingOf(definition), decidedMs);
    this.#put(entry.id, { decidedMs, nextMs });
  }

  #put(id: JobId, timeline: Timeline): void {
    this.#timelines.set(id, timeline);
    if (timeline.nextMs !== null) this.#heap.push({ dueMs: timeline.nextMs, id });
  }

  /** When a job is due next, as far as it is known; null: never. */
  nextOf(id: JobId): number | null {
    return this.#timelines.get(id)?.nextMs ?? null;
  }

  /** A job is new or has another definition, pause or schedule. */
  changed(id: JobId): void {
    const entry = this.#options.book.get(id);
    if (entry === undefined) return;
    const decidedMs = this.#timelines.get(id)?.decidedMs ?? entry.updatedMs;
    // It is looked at now, and that finds out when it is due next.
    this.#put(id, { decidedMs, nextMs: Math.min(decidedMs, this.#options.clock.nowMs()) });
    this.#work();
  }

  /** A job was deleted: what was due before that is decided. */
  async removed(id: JobId): Promise<void> {
    const decidedMs = this.#timelines.get(id)?.decidedMs;
    this.#timelines.delete(id);
    if (decidedMs !== undefined) await this.#last(id, decidedMs);
  }

  /** Decides what these jobs were due for until now, before something about them changes. */
  async catchUp(ids: readonly JobId[]): Promise<void> {
    await this.#working;
    const present = ids.filter((id) => this.#timelines.has(id));
    for (let i = 0; i < present.length; i += JOBS_AT_ONCE)
      await this.#passAll(present.slice(i, i + JOBS_AT_ONCE), this.#options.clock.nowMs());
  }

  async #last(id: JobId, decidedMs: number): Promise<void> {
    const job = await this.#options.store.jobs.get(id);
    if (job?.deletedMs == null) return;
    const history = [
      ...(await this.#history(id)),
      { version: job.version + 1, fromMs: job.deletedMs, timing: null },
    ];
    const { definition } = job;
    const nowMs = this.#options.clock.nowMs();
    for (let fromMs = decidedMs; fromMs < job.deletedMs; fromMs += WINDOW_MS) {
      const fires = this.#fires(id, history, job.pause, fromMs, Math.min(job.deletedMs, fromMs + WINDOW_MS));
      const decisions = fires.map(({ dueMs, version, hindrance }) =>
        skipped(id, dueMs, version, nowMs, hindrance ?? 'misfire', 'the job was deleted'),
      );
      await this.#record({
        ...{ id, decisions, requests: new Map(), cancelled: [], nextMs: null, untilMs: job.deletedMs },
        definition,
      });
    }
  }

  async #history(id: JobId): Promise<Version[]> {
    const versions = await this.#options.store.jobs.history(id);
    return versions.map(({ version, appliedMs, definition }) => ({
      version,
      fromMs: appliedMs,
      timing: timingOf(definition),
    }));
  }

  #fires(
    id: JobId,
    history: readonly Version[],
    pause: JobEntry['pause'],
    fromMs: number,
    untilMs: number,
  ): Fire[] {
    const ofAll = this.#options.pauseOfAll();
    const pauses: Pause[] = ofAll === null ? [] : [ofAll];
    if (pause !== null) pauses.push({ fromMs: pause.sinceMs, untilMs: pause.untilMs });
    return firesWithin(history, pauses, fromMs, untilMs).filter(
      ({ dueMs }) => !this.#recorded.has(`${id} ${dueMs}`),
    );
  }

  #work(): void {
    this.#again = true;
    if (this.#isStopped) return;
    this.#working ??= this.#workAll().finally(() => {
      this.#working = null;
      if (this.#again) this.#work();
    });
  }

  async #workAll(): Promise<void> {
    while (this.#again && !this.#isStopped) {
      this.#again = false;
      try {
        const nowMs = this.#options.clock.nowMs();
        const due = this.#takeDue(nowMs);
        if (due.length > 0) {
          await this.#passAll(due, nowMs);
          this.#again = true;
        } else await this.#saveWatermark(nowMs);
      } catch (error) {
        this.#options.failed(error);
        this.#arm(this.#options.clock.nowMs() + RETRY_MS);
        return;
      }
    }
    const next = this.#heap.peek()?.dueMs ?? Number.POSITIVE_INFINITY;
    this.#arm(Math.min(next, this.#options.clock.nowMs() + WATERMARK_MS));
  }

  #arm(atMs: number): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#isStopped ? null : this.#options.clock.at(atMs, () => this.#work());
  }

  #takeDue(nowMs: number): JobId[] {
    const due = new Set<JobId>();
    for (let top = this.#heap.peek(); top !== undefined && due.size < JOBS_AT_ONCE; top = this.#heap.peek()) {
      if (top.dueMs > nowMs) break;
      this.#heap.pop();
      if (this.#timelines.get(top.id)?.nextMs === top.dueMs) due.add(top.id);
    }
    return [...due];
  }

  /** Decides, writes, starts. Where that fails nothing has changed, and the jobs are due still. */
  async #passAll(ids: readonly JobId[], nowMs: number): Promise<void> {
    const { book, dispatcher, maxQueued } = this.#options;
    try {
      const definitions = await book.definitions(ids);
      let room = maxQueued - dispatcher.queuedCount;
      const passes: (Pass & { readonly definition: JobDefinition })[] = [];
      for (const id of ids) {
        const [entry, definition] = [book.get(id), definitions.get(id)];
        const timeline = this.#timelines.get(id);
        if (entry === undefined || definition === undefined || timeline === undefined) continue;
        const pass = await this.#pass(entry, definition, timeline, nowMs, room);
        room -= pass.requests.size;
        passes.push({ ...pass, definition });
      }
      await this.#recordAll(passes);
      for (const { id, untilMs, nextMs } of passes)
        if (this.#timelines.has(id)) this.#put(id, { decidedMs: untilMs, nextMs });
    } catch (error) {
      for (const id of ids) {
        const timeline = this.#timelines.get(id);
        if (timeline !== undefined) this.#put(id, timeline);
      }
      throw error;
    }
  }

  async #pass(
    entry: JobEntry,
    definition: JobDefinition,
    timeline: Timeline,
    nowMs: number,
    room: number,
  ): Promise<Pass> {
    const { dispatcher } = this.#options;
    const { id, version, updatedMs, pause } = entry;
    const timing = timingOf(definition);
    const history =
      updatedMs > timeline.decidedMs ? await this.#history(id) : [{ version, fromMs: updatedMs, timing }];
    // From the first that can be due: a sparse schedule needs no windows without any.
    const fromMs = Math.max(timeline.decidedMs, Math.min(timeline.nextMs ?? nowMs, nowMs));
    // A clock that was put back decides nothing anew.
    const untilMs = Math.max(fromMs, Math.min(nowMs + 1, fromMs + WINDOW_MS));
    const fires = this.#fires(id, history, pause, fromMs, untilMs);
    const moreFollow =
      untilMs <= nowMs && dueInstants(timing, untilMs, Math.min(nowMs + 1, untilMs + WINDOW_MS)).length > 0;
    const latest = fires.at(-1);
    if (latest !== undefined) this.latenessMs = nowMs - latest.dueMs;
    const verdicts = decide(fires, {
      definition,
      nowMs,
      moreFollow,
      makeUpFromMs: makeUpFrom(definition, timing, fromMs, nowMs),
      ongoing: dispatcher.ongoing(id),
      room,
      pauseReason: pause?.reason ?? this.#options.pauseOfAll()?.reason ?? null,
      keyOf: (dueMs) => runKeyOf(id, dueMs),
    });
    const requests = new Map<RunKey, RunRequest>();
    const cancelled: { key: RunKey; by: string }[] = [];
    const decisions = fires.map((fire, i): Decision => {
      const verdict = verdicts[i] as Verdict;
      if (!verdict.run) return skipped(id, fire.dueMs, fire.version, nowMs, verdict.reason, verdict.detail);
      const request = runOf(entry, definition, fire, nowMs);
      requests.set(request.key, request);
      for (const key of [...verdict.cancel, ...verdict.replace])
        cancelled.push({ key: key as RunKey, by: `the run of ${new Date(fire.dueMs).toISOString()}` });
      const became = { verdict: 'run', runKey: request.key } as const;
      const entryOfFire = { jobId: id, dueMs: fire.dueMs, decidedMs: nowMs, version: fire.version, became };
      return { entry: entryOfFire, run: request };
    });
    return { id, decisions, requests, cancelled, untilMs, nextMs: nextDue(timing, untilMs) };
  }

  async #record(pass: Pass & { readonly definition: JobDefinition }): Promise<void> {
    await this.#recordAll([pass]);
  }

  async #recordAll(passes: readonly (Pass & { readonly definition: JobDefinition })[]): Promise<void> {
    const { store, fence, dispatcher, published, clock } = this.#options;
    const decisions = passes.flatMap((pass) => pass.decisions);
    if (decisions.length === 0) return;
    const events = passes.flatMap(({ decisions: own, definition, requests }) => [
      ...own.slice(-MAX_EVENTS).map((decision) => eventOfFire(decision, definition)),
      ...[...requests.values()].slice(-MAX_EVENTS).map(eventOfNew),
    ]);
    const { fresh, eventId } = await store.ledger.record(decisions, { fence, events, nowMs: clock.nowMs() });
    const requests = new Map(passes.flatMap((pass) => [...pass.requests]));
    dispatcher.adopt(fresh.flatMap(({ run }) => (run === null ? [] : (requests.get(run.key) ?? []))));
    const made = new Set(fresh.map(({ entry }) => entry.jobId));
    for (const { id, cancelled } of passes)
      if (made.has(id)) for (const { key, by } of cancelled) dispatcher.cancel(key, by);
    if (eventId !== null) published(events, eventId);
  }

  /** Everything before it is decided, of every job. */
  async #saveWatermark(nowMs: number): Promise<void> {
    if (nowMs < this.#savedMs + WATERMARK_MS) return;
    await this.#options.store.settings.set(WATERMARK, nowMs);
    this.#savedMs = nowMs;
    this.#recorded.clear();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.[Symbol.dispose]();
    this.#timer = null;
    await this.#working;
  }
}

function skipped(
  jobId: JobId,
  dueMs: number,
  version: number,
  decidedMs: number,
  reason: Extract<Verdict, { run: false }>['reason'],
  detail: string | null,
): Decision {
  const became = { verdict: 'skipped', reason, detail } as const;
  return { entry: { jobId, dueMs, decidedMs, version, became }, run: null };
}

function runOf(
  entry: JobEntry,
  definition: JobDefinition,
  { dueMs, version }: Fire,
  nowMs: number,
): RunRequest {
  return {
    key: runKeyOf(entry.id, dueMs),
    jobId: entry.id,
    job: definition.name,
    jobVersion: version,
    project: definition.project,
    pool: definition.pool,
    spec: specOf(definition),
    cause: { kind: 'schedule', ref: null },
    priority: definition.priority,
    queuedMs: nowMs,
    dueMs,
    notBeforeMs: dueMs + jitterOf(entry.id, definition.jitter_ms),
  };
}

function eventOfFire(
  { entry: { jobId, dueMs, became } }: Decision,
  { project, name }: JobDefinition,
): object {
  return { kind: 'fire', project, job_id: jobId, job: name, due_ms: dueMs, ...became };
}

/** With `misfire: all`: the earliest of the latest so many. */
function makeUpFrom(
  { misfire }: JobDefinition,
  timing: ReturnType<typeof timingOf>,
  fromMs: number,
  nowMs: number,
): number {
  if (misfire.policy !== 'all') return fromMs;
  for (let lengthMs = 60_000; ; lengthMs *= 4) {
    const sinceMs = Math.max(fromMs, nowMs - lengthMs);
    const due = dueInstants(timing, sinceMs, nowMs + 1);
    if (due.length >= misfire.max) return due[due.length - misfire.max] ?? fromMs;
    if (sinceMs === fromMs) return fromMs;
  }
}
