import type { RunView } from '../../wire/index.ts';
import { Agenda } from '../agenda.ts';
import type { Clock } from '../clock.ts';
import { place } from '../placement/index.ts';
import { type Arrival, type NewRun, type RunKey, type RunRecord, wireKeyOf } from '../store/index.ts';
import { type Active, activeOf, changeOf, limitsOf, restored, waitingOf } from './active.ts';
import type { Commits } from './commits.ts';
import { type HostSlot, HostSlots } from './host-slots.ts';
import { type Limit, Queue } from './queue.ts';
import { eventOf } from './report.ts';
import { type Event, type Phase, step } from './run.ts';
import type { RunSpec } from './spec.ts';
import { startRequest } from './start-request.ts';

/** A run to be made. */
export type RunRequest = NewRun & { readonly spec: RunSpec; readonly job: string | null };

/** How a host is asked. Rejects with a HostRefusal where it says no, with any other error where nobody knows. */
export interface HostLink {
  request(name: 'run' | 'cancel' | 'free', fields: object): Promise<{ readonly run?: RunView }>;
}

/** The host has not done it, and says why. */
export class HostRefusal extends Error {
  override readonly name = 'HostRefusal';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface DispatcherOptions {
  readonly clock: Clock;
  readonly commits: Commits;
  readonly random: () => number;
  /** How long a host may be silent before what it runs counts as unreachable, and before it is not waited for. */
  readonly silentAfterMs: number;
  readonly lostAfterMs: number;
  /** Runs that wait at most; more are refused. */
  readonly maxQueued: number;
  /** Whether the store has, or had, an attempt that a host knows by this key. */
  readonly isKnown: (wireKey: RunKey) => Promise<boolean>;
  /** A run has ended; what follows from it goes into the same commit. */
  readonly ended: (
    run: RunRequest,
    phase: Phase & { readonly state: 'ended' },
  ) => { readonly runs: readonly RunRequest[]; readonly arrivals: readonly Arrival[] };
  readonly warn: (message: string, fields: object) => void;
}

/** What a run waits for. */
export type WaitsFor =
  /** `because`: a host has refused it. */
  | { readonly for: 'time'; readonly untilMs: number; readonly because: string | null }
  | { readonly for: 'limit'; readonly limit: Limit; readonly taken: number }
  | { readonly for: 'host'; readonly refusals: readonly { readonly host: string; readonly reason: string }[] }
  | { readonly for: 'turn' };

export class QueueFull extends Error {
  override readonly name = 'QueueFull';
}

/** The host has not begun it, and another time it might. */
const PASSING_REFUSALS = new Set([
  'queue_full',
  'low_disk',
  'state_unwritable',
  'pool_unavailable',
  'draining',
  'stopping',
]);
const REFUSED_PAUSE_MS = 1_000;
/** What is left of the 2 s within which a run that is cancelled has to have ended. */
const CANCEL_MARGIN_MS = 1_500;

/** Leads runs from the queue to their outcome: one of these at a time, for it holds in memory what goes on. */
export class Dispatcher implements Disposable {
  readonly #options: DispatcherOptions;
  readonly #agenda: Agenda;
  readonly #queue = new Queue();
  readonly #active = new Map<RunKey, Active>();
  /** By the key that the host knows the present attempt by. */
  readonly #byWireKey = new Map<RunKey, Active>();
  readonly #hosts = new HostSlots();
  /** Runs that are not yet in the store: told when they are. */
  readonly #creating = new Map<RunKey, Promise<boolean>>();
  /** Attempts that are over here and not yet in the store. */
  readonly #settling = new Set<RunKey>();
  /** Runs that have ended here and not yet in the store. */
  readonly #ending = new Set<RunKey>();
  /** Of each job, what has no host. */
  readonly #waitingOf = new Map<string, Set<RunKey>>();
  #willDispatch = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#agenda = new Agenda(options.clock);
  }

  /** Runs that have not ended, as the store has it: those whose end is on its way there are among them. */
  get activeCount(): number {
    return this.#active.size + this.#ending.size;
  }

  get queuedCount(): number {
    return this.#queue.size;
  }

  get hosts(): HostSlots {
    return this.#hosts;
  }

  /** Goes on with what the store has. Before anything else. */
  resume(records: readonly RunRecord[]): void {
    const nowMs = this.#options.clock.nowMs();
    for (const record of records) {
      const active = restored(record);
      this.#active.set(record.key, active);
      const { phase } = active.run;
      if (phase.state === 'queued') this.#enqueue(active);
      else if (phase.state !== 'ended') {
        this.#occupy(active, phase.host);
        if (active.cancelRequestedMs !== null) this.#watchCancel(active, nowMs);
      }
    }
    // A host that does not come back is lost from now on: nobody knows since when it is away.
    for (const host of this.#hosts.all) this.#watchSilence(host);
    // One that was removed does not come back at all.
    const removed = new Set(
      records.flatMap(({ hostId }) => hostId ?? []).filter((id) => !this.#hosts.find(id)),
    );
    for (const id of removed)
      this.#agenda.at(nowMs + this.#options.lostAfterMs, () => this.#tellAllOn(id, { type: 'host-lost' }));
  }

  /** False: there is, or was, a run of this key. Throws QueueFull. Resolves when it is in the store. */
  async add(request: RunRequest): Promise<boolean> {
    if (this.#active.has(request.key) || this.#ending.has(request.key)) {
      await this.#creating.get(request.key);
      return false;
    }
    this.assertRoom(1);
    return await this.#create(request);
  }

  /** Throws QueueFull where so many more would be too many. */
  assertRoom(count: number): void {
    if (this.#queue.size + count > this.#options.maxQueued)
      throw new QueueFull(`${this.#queue.size} runs are waiting already`);
  }

  #create(request: RunRequest): Promise<boolean> {
    const active = this.#adopt(request);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#options.commits.created(request, eventOfRun(active), (isNew) => {
      this.#creating.delete(request.key);
      if (!isNew) this.#forget(active);
      resolve(isNew);
    });
    this.#creating.set(request.key, promise);
    return promise;
  }

  /** Takes on runs that are in the store already. */
  adopt(requests: readonly RunRequest[]): void {
    for (const request of requests) if (!this.#active.has(request.key)) this.#adopt(request);
  }

  #adopt(request: RunRequest): Active {
    const active = activeOf(request);
    this.#active.set(request.key, active);
    this.#enqueue(active);
    return active;
  }

  find(key: RunKey): Active | null {
    return this.#active.get(key) ?? null;
  }

  /** Keys of the runs of a job that have not ended, oldest first. */
  ongoing(jobId: string): { readonly begun: readonly RunKey[]; readonly waiting: readonly RunKey[] } {
    const begun: RunKey[] = [];
    const waiting: RunKey[] = [];
    for (const key of this.#hosts.keysOfJob(jobId)) begun.push(key);
    for (const key of this.#waitingOf.get(jobId) ?? []) waiting.push(key);
    return { begun, waiting };
  }

  /** Wants a run to end. False: there is none that goes on. */
  cancel(key: RunKey, by: string): boolean {
    const active = this.#active.get(key);
    if (active === undefined) return false;
    const nowMs = this.#options.clock.nowMs();
    const isFirst = active.cancelRequestedMs === null;
    active.cancelRequestedMs ??= nowMs;
    this.#apply(active, { type: 'cancel', by }, null);
    // To want it again gives its host no more time.
    if (isFirst && this.#active.get(key) === active) this.#watchCancel(active, nowMs);
    return true;
  }

  #watchCancel(active: Active, nowMs: number): void {
    active.timer?.[Symbol.dispose]();
    const untilMs = nowMs + active.created.spec.kill_after_ms + CANCEL_MARGIN_MS;
    active.timer = this.#agenda.at(untilMs, () => this.#apply(active, { type: 'cancel-expired' }, null));
  }

  /** Why a run has not begun; null: it has, or there is none. */
  waitsFor(key: RunKey): WaitsFor | null {
    const active = this.#active.get(key);
    if (active === undefined || active.run.phase.state !== 'queued') return null;
    const { notBeforeMs } = active.run.phase;
    if (notBeforeMs > this.#options.clock.nowMs())
      return { for: 'time', untilMs: notBeforeMs, because: active.refusal };
    const limit = this.#queue.heldBy(limitsOf(active.created));
    if (limit !== null) return { for: 'limit', limit, taken: this.#queue.taken(limit.name) };
    const { host, refusals } = this.#placementOf(active);
    if (host !== null) return { for: 'turn' };
    return { for: 'host', refusals };
  }

  /** A host is there: it has told all that it has, and is asked from now on. */
  hostConnected(host: HostSlot, link: HostLink, reports: readonly RunView[]): void {
    host.link = link;
    host.contact = 'connected';
    host.silence?.[Symbol.dispose]();
    host.silence = null;
    const told = new Map(reports.map((view) => [view.key, view]));
    for (const key of this.#hosts.keysOn(host.id)) {
      const active = this.#active.get(key);
      if (active === undefined) continue;
      const { attempt } = active.run.phase;
      const view = told.get(wireKeyOf(key, attempt));
      if (view === undefined) this.#apply(active, { type: 'unknown', attempt }, host);
      else {
        this.#apply(active, { type: 'host-back' }, host);
        this.#report(active, view, host);
      }
    }
    for (const view of reports) if (!this.#byWireKey.has(view.key)) this.#stray(view, host);
    this.#dispatchSoon();
  }

  hostGone(host: HostSlot, link: HostLink): void {
    // Another connection may have taken its place.
    if (host.link !== link) return;
    host.link = null;
    host.contact = 'silent';
    this.#watchSilence(host);
  }

  #watchSilence(host: HostSlot): void {
    const { clock, silentAfterMs, lostAfterMs } = this.#options;
    const sinceMs = clock.nowMs();
    host.silence?.[Symbol.dispose]();
    host.silence = this.#agenda.at(sinceMs + silentAfterMs, () => {
      this.#tellAllOn(host.id, { type: 'host-silent' });
      host.silence = this.#agenda.at(sinceMs + lostAfterMs, () => {
        host.silence = null;
        host.contact = 'lost';
        this.#tellAllOn(host.id, { type: 'host-lost' });
      });
    });
  }

  #tellAllOn(hostId: string, event: Event): void {
    for (const key of this.#hosts.keysOn(hostId)) {
      const active = this.#active.get(key);
      if (active !== undefined) this.#apply(active, event, null);
    }
  }

  /** A host tells how one of its runs stands. */
  hostReports(host: HostSlot, view: RunView): void {
    const active = this.#byWireKey.get(view.key);
    if (active !== undefined) this.#report(active, view, host);
    else this.#stray(view, host);
  }

  #report(active: Active, view: RunView, host: HostSlot): void {
    const event = eventOf(view, active.run.phase.attempt);
    if (event !== null) this.#apply(active, event, host);
  }

  /** Of an attempt that is over for us: the host may forget what has ended, and is to end what has not. */
  #stray(view: RunView, host: HostSlot): void {
    // That it is over is on its way into the store; then it is freed.
    if (this.#settling.has(view.key)) return;
    this.#options.isKnown(view.key).then(
      (isKnown) => {
        if (isKnown) this.#ask(host, view.state === 'ended' ? 'free' : 'cancel', { key: view.key });
        else this.#options.warn(`host ${host.name} has a run that is not ours`, { key: view.key });
      },
      (error: unknown) => this.#options.warn('the store could not be asked for a run', { err: error }),
    );
  }

  /** Hosts or what they may take have changed. */
  hostsChanged(): void {
    this.#dispatchSoon();
  }

  #apply(active: Active, event: Event, from: HostSlot | null): void {
    const nowMs = this.#options.clock.nowMs();
    const before = active.run;
    const { run, actions } = step(before, event, nowMs, this.#options.random());
    active.run = run;
    const after = actions.map((action) => () => {
      if (action.do === 'free') {
        if (from !== null) this.#ask(from, 'free', { key: wireKeyOf(active.created.key, action.attempt) });
        return;
      }
      const host = this.#hosts.find(action.host);
      if (host === undefined) return;
      if (action.do === 'run') this.#start(active, host, action.attempt);
      else this.#cancelOn(active, host, action.attempt);
    });
    if (run === before) {
      // Nothing to write, and what is to be done follows from what has been written.
      for (const act of after) act();
      return;
    }
    if (run.phase.attempt > before.phase.attempt) this.#noteAttempt(active, before.phase, event, nowMs);
    if (run.phase.attempt > before.phase.attempt || run.phase.state === 'ended') {
      const wireKey = wireKeyOf(active.created.key, before.phase.attempt);
      this.#settling.add(wireKey);
      after.unshift(() => this.#settling.delete(wireKey));
    }
    this.#move(active, before.phase);
    const created: RunRequest[] = [];
    if (run.phase.state === 'ended') {
      const { runs, arrivals } = this.#options.ended(active.created, run.phase);
      created.push(...runs);
      if (arrivals.length > 0) this.#options.commits.arrived(arrivals);
      this.#forget(active);
      const { key } = active.created;
      this.#ending.add(key);
      after.unshift(() => this.#ending.delete(key));
    }
    this.#options.commits.changed(changeOf(active), eventOfRun(active), after);
    for (const next of created) if (!this.#active.has(next.key)) void this.#create(next);
  }

  /** Keeps queue, hosts and limits in step with the phase. */
  #move(active: Active, before: Phase): void {
    const { phase } = active.run;
    if (before === phase) return;
    const wasOnHost = before.state !== 'queued' && before.state !== 'ended';
    const isOnHost = phase.state !== 'queued' && phase.state !== 'ended';
    if (wasOnHost && !isOnHost) this.#vacate(active, before.host, before.attempt);
    if (before.state === 'queued' && phase.state !== 'queued') this.#dequeue(active);
    if (phase.state === 'queued') this.#enqueue(active);
  }

  #enqueue(active: Active): void {
    const { key, jobId, queuedMs, spec } = active.created;
    const { phase } = active.run;
    if (phase.state !== 'queued') return;
    if (jobId !== null) {
      const waiting = this.#waitingOf.get(jobId);
      if (waiting === undefined) this.#waitingOf.set(jobId, new Set([key]));
      else waiting.add(key);
    }
    const nowMs = this.#options.clock.nowMs();
    if (spec.queue_timeout_ms !== null && phase.attempt === 1)
      active.queueTimer ??= this.#agenda.at(
        Math.max(queuedMs, active.created.notBeforeMs) + spec.queue_timeout_ms,
        () => this.#apply(active, { type: 'queue-timeout' }, null),
      );
    if (phase.notBeforeMs <= nowMs) this.#join(active);
    else {
      active.timer?.[Symbol.dispose]();
      active.timer = this.#agenda.at(phase.notBeforeMs, () => this.#join(active));
    }
  }

  #join(active: Active): void {
    active.timer = null;
    this.#queue.add(waitingOf(active));
    this.#dispatchSoon();
  }

  #dequeue(active: Active): void {
    const { key, jobId } = active.created;
    this.#queue.remove(key);
    active.queueTimer?.[Symbol.dispose]();
    active.queueTimer = null;
    active.timer?.[Symbol.dispose]();
    active.timer = null;
    const waiting = jobId === null ? undefined : this.#waitingOf.get(jobId);
    waiting?.delete(key);
    if (jobId !== null && waiting?.size === 0) this.#waitingOf.delete(jobId);
  }

  /** It counts on this host. */
  #occupy(active: Active, hostId: string): void {
    const { key, jobId, spec } = active.created;
    this.#byWireKey.set(wireKeyOf(key, active.run.phase.attempt), active);
    this.#hosts.occupy(hostId, key, jobId, spec.cost);
    this.#queue.take(limitsOf(active.created));
  }

  #vacate(active: Active, hostId: string, attempt: number): void {
    const { key, jobId, spec } = active.created;
    this.#byWireKey.delete(wireKeyOf(key, attempt));
    this.#hosts.vacate(hostId, key, jobId, spec.cost);
    this.#queue.release(limitsOf(active.created));
    active.timer?.[Symbol.dispose]();
    active.timer = null;
    this.#dispatchSoon();
  }

  #forget(active: Active): void {
    const { phase } = active.run;
    if (phase.state === 'queued') this.#dequeue(active);
    else if (phase.state !== 'ended') this.#vacate(active, phase.host, phase.attempt);
    active.timer?.[Symbol.dispose]();
    active.timer = null;
    this.#active.delete(active.created.key);
  }

  #noteAttempt(active: Active, phase: Phase, event: Event, nowMs: number): void {
    if (phase.state === 'queued' || phase.state === 'ended') return;
    const outcome = event.type === 'ended' ? event.outcome : null;
    this.#options.commits.attempted({
      runKey: active.created.key,
      attempt: phase.attempt,
      hostId: phase.host as never,
      wireKey: wireKeyOf(active.created.key, phase.attempt),
      startedMs: phase.state === 'starting' ? null : phase.startedMs,
      endedMs: event.type === 'ended' ? event.endedMs : nowMs,
      outcome: outcome?.name ?? 'lost',
      code: outcome?.code ?? null,
      signal: outcome?.signal ?? null,
      error: outcome === null ? 'its host was lost' : outcome.error,
    });
  }

  /** Once for all that happens in this turn. */
  #dispatchSoon(): void {
    if (this.#willDispatch) return;
    this.#willDispatch = true;
    queueMicrotask(() => {
      this.#willDispatch = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    this.#queue.dispatch(({ key }) => {
      const active = this.#active.get(key as RunKey);
      if (active === undefined) throw new Error(`the queue has ${key}, which nobody wants to run`);
      const { host, refusals } = this.#placementOf(active);
      if (host === null) return false;
      active.refusal = null;
      active.placement = refusals.length === 0 ? null : JSON.stringify(refusals.slice(0, 20));
      // The queue has counted it; the host counts it before its turn comes.
      const { jobId, spec } = active.created;
      this.#hosts.occupy(host, active.created.key, jobId, spec.cost);
      this.#byWireKey.set(wireKeyOf(active.created.key, active.run.phase.attempt), active);
      this.#apply(active, { type: 'placed', host }, null);
      return true;
    });
  }

  #placementOf({ created, run }: Active) {
    const { pool, spec, jobId } = created;
    const boundTo = run.phase.state === 'queued' ? run.phase.host : null;
    const wish = { pool, labels: spec.labels, cost: spec.cost, boundTo, perHost: spec.limit_per_host };
    return place(
      wish,
      this.#hosts.views(spec.limit_per_host === null ? null : jobId),
      this.#options.random(),
    );
  }

  #start(active: Active, host: HostSlot, attempt: number): void {
    const { link } = host;
    // It is asked again when the host is back. It may be no run of ours any more, or wait for another host.
    const isWanted = active.run.phase.state === 'starting' && this.#isOn(active, host, attempt);
    if (link === null || !isWanted) return;
    const key = wireKeyOf(active.created.key, attempt);
    link.request('run', startRequest(active.created, key, attempt)).then(
      ({ run }) => {
        if (run !== undefined) this.hostReports(host, run);
      },
      (error: unknown) => {
        // Nobody knows whether it has begun: the host will tell.
        if (error instanceof HostRefusal) this.#refused(active, host, attempt, error);
      },
    );
  }

  #isOn({ created, run: { phase } }: Active, host: HostSlot, attempt: number): boolean {
    return (
      this.#active.get(created.key)?.created === created &&
      phase.host === host.id &&
      phase.attempt === attempt
    );
  }

  #refused(active: Active, host: HostSlot, attempt: number, { code, message }: HostRefusal): void {
    if (!this.#isOn(active, host, attempt)) return;
    const nowMs = this.#options.clock.nowMs();
    if (code === 'freed') {
      // It has run there, and somebody has let the host forget how.
      const outcome = { name: 'lost', code: null, signal: null, error: message, result: null } as const;
      this.#apply(active, { type: 'ended', attempt, outcome, startedMs: null, endedMs: nowMs }, null);
      return;
    }
    const forGood = !PASSING_REFUSALS.has(code);
    const error = `${host.name}: ${message}`;
    const againMs = nowMs + REFUSED_PAUSE_MS;
    active.refusal = error;
    this.#apply(active, { type: 'refused', attempt, error, forGood, againMs }, null);
  }

  #cancelOn(active: Active, host: HostSlot, attempt: number): void {
    const { key, spec } = active.created;
    const fields = { key: wireKeyOf(key, attempt), kill_after_ms: spec.kill_after_ms };
    host.link?.request('cancel', fields).then(
      ({ run }) => {
        if (run !== undefined) this.hostReports(host, run);
      },
      (error: unknown) => {
        // The `run` before it never came there.
        if (error instanceof HostRefusal && error.code === 'not_found' && this.#isOn(active, host, attempt))
          this.#apply(active, { type: 'unknown', attempt }, null);
      },
    );
  }

  #ask(host: HostSlot, name: 'free' | 'cancel', fields: { readonly key: RunKey }): void {
    host.link?.request(name, fields).catch((error: unknown) => {
      // What is left over is told again with the next connection.
      if (error instanceof HostRefusal && error.code !== 'not_found')
        this.#options.warn(`host ${host.name} refuses to ${name} ${fields.key}: ${error.message}`, {});
    });
  }

  [Symbol.dispose](): void {
    this.#agenda[Symbol.dispose]();
  }
}

/** What streams of events tell of a run that has been made. */
export function eventOfNew(request: RunRequest): object {
  return eventOfRun(activeOf(request));
}

/** What streams of events tell of a run. */
function eventOfRun({ created, run }: Active): object {
  const { phase } = run;
  const outcome = phase.state === 'ended' ? phase.outcome : null;
  return {
    kind: 'run',
    key: created.key,
    project: created.project,
    job_id: created.jobId,
    job: created.job,
    cause: created.cause.kind,
    due_ms: created.dueMs,
    state: phase.state,
    host: phase.host,
    attempt: phase.attempt,
    started_ms: phase.state === 'running' || phase.state === 'ended' ? phase.startedMs : null,
    ended_ms: phase.state === 'ended' ? phase.endedMs : null,
    outcome: outcome?.name ?? null,
    code: outcome?.code ?? null,
    signal: outcome?.signal ?? null,
    error: outcome?.error?.slice(0, 500) ?? null,
  };
}
