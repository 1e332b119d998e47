import type { NewRun, RunChange, RunRecord } from '../store/index.ts';
import type { Limit, Waiting } from './queue.ts';
import { type CloudRun, type Phase, queued } from './run.ts';
import type { RunSpec } from './spec.ts';

/** A run that has not ended, as the dispatcher keeps it. */
export interface Active {
  readonly created: NewRun & { readonly spec: RunSpec; readonly job: string | null };
  run: CloudRun;
  cancelRequestedMs: number | null;
  /** Why this host. */
  placement: string | null;
  /** Why the last host has not begun it. */
  refusal: string | null;
  /** What is to happen if nothing happens: at most one of these at a time. */
  timer: Disposable | null;
  queueTimer: Disposable | null;
}

export function activeOf(created: Active['created']): Active {
  return {
    created,
    run: queued(created.key, created.spec, created.notBeforeMs),
    cancelRequestedMs: null,
    placement: null,
    refusal: null,
    timer: null,
    queueTimer: null,
  };
}

/** A run of the store, as it stood when somebody led last. */
export function restored(record: RunRecord): Active {
  const { spec, job, key, jobId, jobVersion, project, pool, cause, priority, queuedMs, dueMs, notBeforeMs } =
    record;
  const created = {
    ...{ key, job, jobId, jobVersion, project, pool, cause, priority, queuedMs, dueMs, notBeforeMs },
    // Only the dispatcher writes it.
    spec: spec as RunSpec,
  };
  return {
    ...activeOf(created),
    run: {
      key,
      delivery: created.spec,
      phase: phaseOf(record),
      made: { failure: 0, lost_process: 0, lost_host: 0, ...record.made },
      cancelledBy: record.cancelRequestedBy,
    },
    cancelRequestedMs: record.cancelRequestedMs,
    placement: record.placement,
  };
}

/** Nobody knows what its host did meanwhile: what was given to one stands as unreachable until that is back. */
function phaseOf({ state, hostId, attempt, startedMs, notBeforeMs, key }: RunRecord): Phase {
  if (state === 'queued') return { state, attempt, notBeforeMs, host: hostId };
  if (hostId === null || state === 'ended') throw new Error(`the run ${key} is ${state} and has no host`);
  return { state: 'unreachable', attempt, host: hostId, startedMs };
}

/** Its row in the store. */
export function changeOf({ created, run, cancelRequestedMs, placement }: Active): RunChange {
  const { phase, made, cancelledBy } = run;
  const outcome = phase.state === 'ended' ? phase.outcome : null;
  const tried = made.failure + made.lost_process + made.lost_host > 0;
  return {
    key: created.key,
    state: phase.state,
    outcome: outcome?.name ?? null,
    code: outcome?.code ?? null,
    signal: outcome?.signal ?? null,
    error: outcome?.error ?? null,
    result: outcome?.result ?? null,
    hostId: phase.host as RunChange['hostId'],
    attempt: phase.attempt,
    made: tried ? { ...made } : null,
    notBeforeMs: phase.state === 'queued' ? phase.notBeforeMs : created.notBeforeMs,
    startedMs: phase.state === 'queued' || phase.state === 'starting' ? null : phase.startedMs,
    endedMs: phase.state === 'ended' ? phase.endedMs : null,
    cancelRequestedMs,
    cancelRequestedBy: cancelledBy,
    placement,
  };
}

/** What it shares with others of which only so many may run at a time. */
export function limitsOf({ jobId, spec }: Active['created']): Limit[] {
  const limits: Limit[] = [];
  if (spec.limit !== null) limits.push({ name: `job ${jobId}`, max: spec.limit });
  if (spec.limit_per_key !== null)
    limits.push({ name: `key ${jobId} ${spec.concurrency_key}`, max: spec.limit_per_key });
  if (spec.group !== null) limits.push(spec.group);
  return limits;
}

export function waitingOf({ created, run }: Active): Waiting {
  const { key, priority, queuedMs, pool, jobId, spec } = created;
  const bound = run.phase.state === 'queued' ? run.phase.host : null;
  const perHost = spec.limit_per_host === null ? null : jobId;
  const needs = JSON.stringify([pool, spec.labels, spec.cost, bound, perHost]);
  return { key, priority, queuedMs, needs, limits: limitsOf(created) };
}
