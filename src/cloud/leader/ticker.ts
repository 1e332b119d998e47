import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import { type Dispatcher, eventOfNew, type RunRequest, specOf } from '../dispatch/index.ts';
import { type JobDefinition, timingOf } from '../jobs/index.ts';
import { type Fire, firesWithin, jitterOf, nextDue, type Pause, type Version } from '../scheduler/index.ts';
import { type Decision, type JobId, type RunKey, runKeyOf, type Store } from '../store/index.ts';
import { backlogOf, latestFree, type Search } from './backlog.ts';
import { decide, type Verdict } from './decide.ts';
import type { JobEntry } from './job-book.ts';
import { type Timeline, Timelines, type TimelinesOptions } from './timelines.ts';

export interface TickerOptions extends TimelinesOptions {
  readonly clock: Clock;
  readonly store: Store;
  readonly dispatcher: Dispatcher;
  readonly maxQueued: number;
  /** All jobs are paused. */
  readonly pauseOfAll: () => (Pause & { readonly reason: string | null }) | null;
  readonly published: (events: readonly unknown[], eventId: number) => void;
  /** The store can't be reached: it is tried again. */
  readonly failed: (error: unknown) => void;
}

/** A run to be made, and what ends for it. */
interface Wanted {
  readonly request: RunRequest;
  readonly insteadOf: readonly RunKey[];
}

/** What was decided of a job's fires, before it is in the store. */
interface Pass {
  readonly id: JobId;
  readonly decisions: readonly Decision[];
  readonly definition: JobDefinition;
  readonly wanted: readonly Wanted[];
  readonly timeline: Timeline;
}

const WATERMARK = 'scheduler.decided_until';
/** How often it is written down up to where all is decided. What lies behind it is computed anew after a crash. */
const WATERMARK_MS = 10_000;
const JOBS_AT_ONCE = 500;
/** Of all jobs in one go. */
const DECISIONS_AT_ONCE = 5_000;
/** Of a job in one go, about: after an outage of a year the others need not wait for it, and memory has an end. */
const FIRES_AT_ONCE = 1_000;
const FIRST_WINDOW_MS = 60_000;
const MAX_WINDOW_MS = 86_400_000;
const RETRY_MS = 1_000;
/** Of one pass; streams of events need not show a year of skipped seconds. */
const MAX_EVENTS = 500;

/** Makes runs of what is due: the clock's edge of the scheduler. What is due is computed, never remembered. */
export class Ticker {
  readonly #options: TickerOptions;
  readonly #timelines: Timelines;
  /** Fires that a former leader has decided beyond the watermark. */
  #recorded = new Set<string>();
  /** Runs that may be in the store: it failed while it wrote them. */
  readonly #uncertain = new Map<RunKey, Wanted>();
  /** Deleted jobs, with up to where their fires are decided. */
  readonly #gone = new Map<JobId, number>();
  /** Everything before it is decided, of some job. */
  #decidedMs = 0;
  #savedMs = 0;
  /** One at a time: whoever decides, and whoever changes what is decided by. */
  #turn: Promise<unknown> = Promise.resolve();
  #timer: Disposable | null = null;
  #working: Promise<void> | null = null;
  #again = false;
  #isStopped = false;
  /** How late the latest fire was noticed. */
  latenessMs = 0;

  constructor(options: TickerOptions) {
    this.#options = options;
    this.#timelines = new Timelines(options);
  }

  /** Goes on from where the last leader was. */
  async start(): Promise<void> {
    const { store, book, clock } = this.#options;
    const nowMs = clock.nowMs();
    const watermark = await store.settings.getOrSet(WATERMARK, nowMs);
    this.#savedMs = watermark;
    const recorded = await store.ledger.since(watermark);
    this.#recorded = new Set(recorded.map(({ jobId, dueMs }) => `${jobId} ${dueMs}`));
    this.#decidedMs = recorded.reduce((latest, { dueMs }) => Math.max(latest, dueMs + 1), watermark);
    for (const { id } of await store.jobs.deletedSince(watermark)) this.#gone.set(id, watermark);
    const scheduled = [...book.all].filter(
      ({ isScheduled, updatedMs }) => isScheduled || updatedMs >= watermark,
    );
    for (let from = 0; from < scheduled.length; from += JOBS_AT_ONCE) {
      const slice = scheduled.slice(from, from + JOBS_AT_ONCE);
      await this.#timelines.resume(slice, watermark);
      for (const entry of slice) if (entry.replaces) this.#replace(entry);
      await nextTurn();
    }
    this.#work();
  }

  /** Whoever led before may have made the latest run and not have come to end those before it. */
  #replace({ id, version }: JobEntry): void {
    const { dispatcher } = this.#options;
    const { begun, waiting } = dispatcher.ongoing(id);
    const runs = [...begun, ...waiting].flatMap((key) => dispatcher.find(key)?.created ?? []);
    const latest = runs
      .filter(({ cause, jobVersion }) => cause.kind === 'schedule' && jobVersion === version)
      .toSorted((a, b) => Number(a.dueMs) - Number(b.dueMs))
      .at(-1);
    if (latest === undefined) return;
    for (const { key, queuedMs } of runs)
      if (queuedMs < latest.queuedMs) dispatcher.cancel(key, replacedBy(latest));
  }

  #put(id: JobId, timeline: Timeline): void {
    this.#timelines.put(id, timeline);
    this.#decidedMs = Math.max(this.#decidedMs, timeline.decidedMs);
  }

  /** When a job is due next, as far as it is known; null: never. */
  nextOf(id: JobId): number | null {
    return this.#timelines.get(id)?.nextMs ?? null;
  }

  /**
   * Changes jobs or pauses while nothing is being decided. The time that it is given is when that comes into force: now,
   * or where the clock was put back, when it shows again what it has shown. So no fire belongs to two definitions.
   */
  async between<T>(act: (nowMs: number) => Promise<T>): Promise<T> {
    return await this.#inTurn(() => act(Math.max(this.#options.clock.nowMs(), this.#decidedMs)));
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act);
    // Whoever asked hears of a failure; the next one only waits.
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** A job is new or has another definition or schedule. To be called within `between`. */
  changed(id: JobId): void {
    const entry = this.#options.book.get(id);
    if (entry === undefined) return;
    const decidedMs = this.#timelines.get(id)?.decidedMs ?? entry.updatedMs;
    // It is looked at now, and that finds out when it is due next.
    const nextMs = Math.min(decidedMs, this.#options.clock.nowMs());
    this.#put(id, { decidedMs, nextMs, backlog: null });
    this.#work();
  }

  /** A job was deleted: what was due before that is decided. To be called within `between`. */
  removed(id: JobId): void {
    const timeline = this.#timelines.get(id);
    if (timeline === undefined) return;
    this.#timelines.remove(id);
    this.#gone.set(id, timeline.decidedMs);
    this.#work();
  }

  /** Decides what these jobs were due for until now, before something about them changes. To be called within `between`. */
  async catchUp(ids: Iterable<JobId>): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    const isBehind = (id: JobId) => (this.nextOf(id) ?? Number.POSITIVE_INFINITY) <= nowMs;
    await this.#settleUncertain();
    for (let behind = [...ids].filter(isBehind); behind.length > 0; behind = behind.filter(isBehind))
      await this.#passAll(behind.slice(0, JOBS_AT_ONCE), nowMs);
  }

  /** What deleted jobs were due for. */
  async #finishGone(): Promise<void> {
    const { store, clock } = this.#options;
    for (const [id, decidedMs] of this.#gone) {
      const job = await store.jobs.get(id);
      const deletedMs = job?.deletedMs ?? decidedMs;
      const history = [...(await this.#history(id)), { version: 0, fromMs: deletedMs, timing: null }];
      const nowMs = clock.nowMs();
      for (let fromMs = decidedMs; job !== null && fromMs < deletedMs; ) {
        const { fires, untilMs } = this.#window(id, this.#search(history, job.pause), fromMs, deletedMs);
        const decisions = fires.map(({ dueMs, version, hindrance }) =>
          skipped(id, dueMs, version, nowMs, hindrance ?? 'misfire', 'the job was deleted'),
        );
        const timeline = { decidedMs: untilMs, nextMs: null, backlog: null };
        await this.#recordAll([{ id, decisions, definition: job.definition, wanted: [], timeline }]);
        this.#gone.set(id, untilMs);
        fromMs = untilMs;
      }
      this.#gone.delete(id);
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

  #search(history: readonly Version[], pause: JobEntry['pause']): Search {
    const ofAll = this.#options.pauseOfAll();
    const pauses = ofAll === null ? [] : [ofAll];
    if (pause !== null) pauses.push({ fromMs: pause.sinceMs, untilMs: pause.untilMs, reason: pause.reason });
    return {
      pauses,
      fires: (fromMs, untilMs) => firesWithin(history, pauses, fromMs, untilMs),
    };
  }

  /** The fires of a time that is as long as it has enough of them, and no longer. */
  #window(
    id: JobId,
    search: Search,
    fromMs: number,
    endMs: number,
  ): { readonly fires: readonly Fire[]; readonly untilMs: number } {
    for (let lengthMs = FIRST_WINDOW_MS; ; lengthMs = Math.min(4 * lengthMs, MAX_WINDOW_MS)) {
      const untilMs = Math.min(endMs, fromMs + lengthMs);
      const all = search.fires(fromMs, untilMs);
      if (untilMs < endMs && lengthMs < MAX_WINDOW_MS && all.length < FIRES_AT_ONCE) continue;
      return { fires: all.filter(({ dueMs }) => !this.#recorded.has(`${id} ${dueMs}`)), untilMs };
    }
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
        if (!(await this.#inTurn(() => this.#step()))) continue;
        this.#again = true;
        // SQLite answers within the turn: the rest of an outage must not keep hosts and clients waiting.
        await nextTurn();
      } catch (error) {
        this.#options.failed(error);
        this.#arm(this.#options.clock.nowMs() + RETRY_MS);
        return;
      }
    }
    const next = this.#timelines.firstMs ?? Number.POSITIVE_INFINITY;
    this.#arm(Math.min(next, this.#options.clock.nowMs() + WATERMARK_MS));
  }

  /** False: nothing is due any more. */
  async #step(): Promise<boolean> {
    await this.#settleUncertain();
    await this.#finishGone();
    const nowMs = this.#options.clock.nowMs();
    const due = this.#timelines.takeDue(nowMs, JOBS_AT_ONCE);
    if (due.length > 0) await this.#passAll(due, nowMs);
    await this.#saveWatermark(nowMs, due.length === 0);
    return due.length > 0;
  }

  #arm(atMs: number): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#isStopped ? null : this.#options.clock.at(atMs, () => this.#work());
  }

  /** Decides, writes, starts. Where that fails nothing has changed, and the jobs are due still. */
  async #passAll(ids: readonly JobId[], nowMs: number): Promise<void> {
    const { book, dispatcher, maxQueued } = this.#options;
    const left = new Set(ids);
    try {
      const definitions = await book.definitions(ids);
      let room = maxQueued - dispatcher.queuedCount;
      let count = 0;
      const passes: Pass[] = [];
      for (const id of ids) {
        if (count > DECISIONS_AT_ONCE) break;
        const [entry, definition] = [book.get(id), definitions.get(id)];
        const timeline = this.#timelines.get(id);
        if (entry === undefined || definition === undefined || timeline === undefined) {
          left.delete(id);
          continue;
        }
        const pass = await this.#pass(entry, definition, timeline, nowMs, room);
        room -= pass.wanted.length;
        count += pass.decisions.length;
        passes.push(pass);
      }
      await this.#recordAll(passes);
      for (const { id, timeline } of passes) {
        left.delete(id);
        this.#put(id, timeline);
      }
    } finally {
      for (const id of left) {
        const timeline = this.#timelines.get(id);
        if (timeline !== undefined) this.#put(id, timeline);
      }
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
    const history =
      updatedMs > timeline.decidedMs
        ? await this.#history(id)
        : [{ version, fromMs: updatedMs, timing: timingOf(definition) }];
    const search = this.#search(history, pause);
    // From the first that can be due: a sparse schedule needs no windows without any.
    const fromMs = Math.max(timeline.decidedMs, Math.min(timeline.nextMs ?? nowMs, nowMs));
    // A clock that was put back decides nothing anew.
    const { fires, untilMs } = this.#window(id, search, fromMs, Math.max(fromMs, nowMs + 1));
    const count = definition.misfire.policy === 'all' ? definition.misfire.max : 1;
    const backlog =
      untilMs <= nowMs ? backlogOf(timeline.backlog, search, count, { fromMs, untilMs, nowMs }) : null;
    const latest = fires.at(-1);
    if (latest !== undefined) this.latenessMs = nowMs - latest.dueMs;
    const verdicts = decide(fires, {
      definition,
      nowMs,
      moreFollow: backlog !== null && backlog.latestMs !== null,
      makeUpFromMs:
        (backlog ?? timeline.backlog)?.makeUpFromMs ?? latestFree(count, search, fromMs, untilMs) ?? fromMs,
      ongoing: dispatcher.ongoing(id),
      room,
      pauseReasonAt: (dueMs) =>
        search.pauses.find(
          ({ fromMs: sinceMs, untilMs: endMs }) =>
            dueMs >= sinceMs && dueMs < (endMs ?? Number.POSITIVE_INFINITY),
        )?.reason ?? null,
      keyOf: (dueMs) => runKeyOf(id, dueMs),
    });
    const wanted: Wanted[] = [];
    const decisions = fires.map((fire, i): Decision => {
      const verdict = verdicts[i] as Verdict;
      if (!verdict.run) return skipped(id, fire.dueMs, fire.version, nowMs, verdict.reason, verdict.detail);
      const request = runOf(entry, definition, fire, nowMs);
      wanted.push({ request, insteadOf: [...verdict.cancel, ...verdict.replace] as RunKey[] });
      const became = { verdict: 'run', runKey: request.key } as const;
      const entryOfFire = { jobId: id, dueMs: fire.dueMs, decidedMs: nowMs, version: fire.version, became };
      return { entry: entryOfFire, run: request };
    });
    const nextMs = nextOf(history, untilMs);
    return { id, decisions, definition, wanted, timeline: { decidedMs: untilMs, nextMs, backlog } };
  }

  async #recordAll(passes: readonly Pass[]): Promise<void> {
    const { store, fence, published, clock } = this.#options;
    const decisions = passes.flatMap((pass) => pass.decisions);
    if (decisions.length === 0) return;
    const events = passes.flatMap(({ decisions: own, definition, wanted }) => [
      ...own.slice(-MAX_EVENTS).map((decision) => eventOfFire(decision, definition)),
      ...wanted.slice(-MAX_EVENTS).map(({ request }) => eventOfNew(request)),
    ]);
    // Also where the store fails: it may have written all the same.
    for (const { timeline } of passes) this.#decidedMs = Math.max(this.#decidedMs, timeline.decidedMs);
    const all = new Map(passes.flatMap(({ wanted }) => wanted.map((each) => [each.request.key, each])));
    try {
      const { fresh, eventId } = await store.ledger.record(decisions, {
        fence,
        events,
        nowMs: clock.nowMs(),
      });
      this.#begin(fresh.flatMap(({ run }) => (run === null ? [] : (all.get(run.key) ?? []))));
      if (eventId !== null) published(events, eventId);
    } catch (error) {
      for (const [key, each] of all) this.#uncertain.set(key, each);
      throw error;
    }
  }

  #begin(wanted: readonly Wanted[]): void {
    const { dispatcher } = this.#options;
    dispatcher.adopt(wanted.map(({ request }) => request));
    for (const { request, insteadOf } of wanted)
      for (const key of insteadOf) dispatcher.cancel(key, replacedBy(request));
  }

  /** A store that failed may have written all the same: those runs are there, and nobody else begins them. */
  async #settleUncertain(): Promise<void> {
    if (this.#uncertain.size === 0) return;
    const { store, dispatcher } = this.#options;
    const records = await store.runs.many([...this.#uncertain.keys()]);
    for (const { jobId, dueMs } of records) this.#recorded.add(`${jobId} ${dueMs}`);
    const lacking = records.filter(({ key, state }) => state === 'queued' && dispatcher.find(key) === null);
    this.#begin(lacking.flatMap(({ key }) => this.#uncertain.get(key) ?? []));
    this.#uncertain.clear();
  }

  /** Everything before it is decided, of every job: also in the midst of what an outage has left. */
  async #saveWatermark(nowMs: number, isAllDecided: boolean): Promise<void> {
    const decidedMs = Math.min(nowMs, this.#timelines.firstMs ?? nowMs);
    if (decidedMs < this.#savedMs + WATERMARK_MS) return;
    this.#decidedMs = Math.max(this.#decidedMs, decidedMs);
    await this.#timelines.save();
    await this.#options.store.settings.set(WATERMARK, decidedMs);
    this.#savedMs = decidedMs;
    if (isAllDecided) this.#recorded.clear();
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

function replacedBy({ dueMs, queuedMs }: Pick<RunRequest, 'dueMs' | 'queuedMs'>): string {
  return `the run of ${new Date(dueMs ?? queuedMs).toISOString()}`;
}

/** The first instant from then on at which a job is due, by the definition that is in force then. */
function nextOf(history: readonly Version[], fromMs: number): number | null {
  const firsts = history.flatMap(({ fromMs: begun, timing }, i) => {
    const endMs = Math.min(...history.slice(i + 1).map((later) => later.fromMs));
    if (timing === null || endMs <= fromMs) return [];
    const first = nextDue(timing, Math.max(fromMs, begun));
    return first === null || first >= endMs ? [] : first;
  });
  return firsts.length === 0 ? null : Math.min(...firsts);
}
