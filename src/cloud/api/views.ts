import type { Attempt, Fire, Host, Job, Run, Token } from '../../api/index.ts';
import type { HostSlot, RunSpec, WaitsFor } from '../dispatch/index.ts';
import { timingOf } from '../jobs/index.ts';
import type { Leader } from '../leader/index.ts';
import { nextWithin } from '../scheduler/index.ts';
import type {
  AppliedJob,
  FormerAttempt,
  HostRecord,
  LedgerEntry,
  RunRecord,
  TokenRecord,
} from '../store/index.ts';

// Records as the API shows them.

export function jobView(leader: Leader, job: AppliedJob): Job {
  const { id, version, definition, createdMs, updatedMs, deletedMs, pause } = job;
  return {
    id,
    project: definition.project,
    name: definition.name,
    version,
    created_ms: createdMs,
    updated_ms: updatedMs,
    deleted_ms: deletedMs,
    pause: pause === null ? null : { since_ms: pause.sinceMs, until_ms: pause.untilMs, reason: pause.reason },
    next_due_ms: deletedMs === null ? nextOf(leader, job) : null,
    instances: leader.instances.viewOf(id),
    definition: { ...definition },
  };
}

/** The ledger has a line for what is before its start and after its end too. */
function nextOf({ ticker }: Leader, { id, definition }: AppliedJob): number | null {
  const next = ticker.nextOf(id);
  const isAlways = definition.start_ms === null && definition.end_ms === null;
  return next === null || isAlways ? next : nextWithin(timingOf(definition), next);
}

export function runView(leader: Leader, record: RunRecord): Run {
  const spec = record.spec as RunSpec;
  const waits = record.state === 'queued' ? leader.dispatcher.waitsFor(record.key) : null;
  return {
    key: record.key,
    project: record.project,
    job: record.job,
    job_id: record.jobId,
    job_version: record.jobVersion,
    pool: record.pool,
    class: 'class' in spec.run ? spec.run.class : null,
    argv: 'argv' in spec.run ? [...spec.run.argv] : null,
    params: 'class' in spec.run ? spec.run.params : null,
    state: record.state,
    outcome: record.outcome,
    code: record.code,
    signal: record.signal,
    error: record.error,
    result: record.result === null ? null : (JSON.parse(record.result) as unknown),
    cause: record.cause.kind,
    cause_ref: record.cause.ref,
    host: hostName(leader, record.hostId),
    attempt: record.attempt,
    priority: record.priority,
    queued_ms: record.queuedMs,
    due_ms: record.dueMs,
    not_before_ms: record.notBeforeMs,
    started_ms: record.startedMs,
    ended_ms: record.endedMs,
    cancelled_by: record.cancelRequestedBy,
    waits_for: waits === null ? null : { for: waits.for, text: waitsText(leader, waits) },
  };
}

/** The name, or the id of a host that is forgotten. */
export function hostName(leader: Leader, id: string | null): string | null {
  return id === null ? null : (leader.dispatcher.hosts.find(id)?.name ?? id);
}

const REFUSALS: Readonly<Record<string, string>> = {
  'bound-to-another': 'it belongs to another host',
  lost: 'lost',
  silent: 'silent',
  cordoned: 'cordoned',
  draining: 'draining',
  'no-such-pool': 'has no such pool',
  labels: 'has other labels',
  'job-is-there': 'has as many runs of this job as may be',
  full: 'full',
};

export function waitsText(
  leader: Leader,
  waits: WaitsFor,
  time = (ms: number) => new Date(ms).toISOString(),
): string {
  switch (waits.for) {
    case 'time':
      return `${waits.because === null ? '' : `${waits.because}; `}not before ${time(waits.untilMs)}`;
    case 'limit': {
      const [kind] = waits.limit.name.split(' ');
      const of = kind === 'job' ? 'of its job' : kind === 'key' ? 'with its key' : 'of its backfill';
      return `${waits.taken} of ${waits.limit.max} runs ${of} are under way`;
    }
    case 'turn':
      return 'its turn comes at once';
    case 'host': {
      if (waits.refusals.length === 0) return 'there is no host yet';
      const each = waits.refusals.map(
        ({ host, reason }) => `${hostName(leader, host)}: ${REFUSALS[reason] ?? reason}`,
      );
      const shown = each.slice(0, 5).join(', ');
      return `no host takes it (${shown}${each.length > 5 ? `, and ${each.length - 5} more` : ''})`;
    }
  }
}

export function fireView({ dueMs, decidedMs, version, became }: LedgerEntry): Fire {
  const skipped = became.verdict === 'skipped';
  return {
    due_ms: dueMs,
    decided_ms: decidedMs,
    version,
    verdict: became.verdict,
    reason: skipped ? became.reason : null,
    detail: skipped ? became.detail : null,
    run_key: skipped ? null : became.runKey,
  };
}

export function attemptView(leader: Leader, attempt: FormerAttempt): Attempt {
  return {
    attempt: attempt.attempt,
    host: hostName(leader, attempt.hostId) ?? attempt.hostId,
    started_ms: attempt.startedMs,
    ended_ms: attempt.endedMs,
    outcome: attempt.outcome,
    code: attempt.code,
    signal: attempt.signal,
    error: attempt.error,
  };
}

export function hostView(leader: Leader, record: HostRecord): Host {
  const slot: HostSlot = leader.dispatcher.hosts.slot(record.id, record.name);
  return {
    id: record.id,
    name: record.name,
    contact: slot.contact,
    cordoned: record.cordonedMs !== null,
    draining: record.drainingMs !== null,
    labels: record.labels,
    pools: record.facts?.pools.map(({ name }) => name) ?? [],
    capacity: record.capacity,
    load: slot.load,
    running: leader.dispatcher.hosts.countOn(record.id),
    version: record.facts?.version ?? null,
    incarnation: record.incarnation,
    created_ms: record.createdMs,
    last_seen_ms: record.lastSeenMs,
  };
}

export function tokenView({ id, name, role, project, createdMs, lastUsedMs }: TokenRecord): Token {
  return { id, name, role, project, created_ms: createdMs, last_used_ms: lastUsedMs };
}
