import { sql } from 'kysely';
import type { Access } from './access.ts';
import { type Columns, listOf, namesOf } from './batch.ts';
import { eventPart } from './events.ts';
import type { Fence } from './leases.ts';
import type { NewRun, RunChange, RunStanding } from './runs.ts';
import { storable, toJson } from './text.ts';
import { type Part, together } from './together.ts';
import type { HostId, JobId, RunKey, RunOutcome } from './vocabulary.ts';

/** An attempt that was followed by another one. */
export interface FormerAttempt {
  readonly runKey: RunKey;
  readonly attempt: number;
  readonly hostId: HostId;
  readonly wireKey: RunKey;
  readonly startedMs: number | null;
  readonly endedMs: number;
  readonly outcome: RunOutcome;
  readonly code: number | null;
  readonly signal: string | null;
  readonly error: string | null;
}

/** Of a job that follows from several others: one of them has succeeded; null: it has been started for that. */
export interface Arrival {
  readonly jobId: JobId;
  readonly parent: string;
  readonly result: unknown;
}

/** What goes into the store together. */
export interface RunCommit {
  readonly created: readonly NewRun[];
  /** Of runs that were there or are created here. */
  readonly changes: readonly RunChange[];
  readonly attempts: readonly FormerAttempt[];
  readonly arrivals: readonly Arrival[];
  readonly events: readonly unknown[];
  readonly nowMs: number;
}

const STANDING = {
  state: 'text',
  outcome: 'text',
  code: 'bigint',
  signal: 'text',
  error: 'text',
  result: 'text',
  host_id: 'text',
  attempt: 'bigint',
  made: 'text',
  not_before_ms: 'bigint',
  started_ms: 'bigint',
  ended_ms: 'bigint',
  cancel_requested_ms: 'bigint',
  cancel_requested_by: 'text',
  placement: 'text',
} as const satisfies Columns<string>;

const CHANGED = { key: 'text', ...STANDING } as const satisfies Columns<string>;

const CREATED = {
  ...CHANGED,
  job_id: 'text',
  job_version: 'bigint',
  project: 'text',
  pool: 'text',
  spec: 'text',
  cause: 'text',
  cause_ref: 'text',
  priority: 'bigint',
  queued_ms: 'bigint',
  due_ms: 'bigint',
} as const satisfies Columns<string>;

const ATTEMPT = {
  run_key: 'text',
  attempt: 'bigint',
  host_id: 'text',
  wire_key: 'text',
  started_ms: 'bigint',
  ended_ms: 'bigint',
  outcome: 'text',
  code: 'bigint',
  signal: 'text',
  error: 'text',
} as const satisfies Columns<string>;

const ARRIVAL = { job_id: 'text', parent: 'text', result: 'text' } as const satisfies Columns<string>;

/** Returns which of the runs that it creates were there already, and the id under which the events stand. */
export async function writeCommit(
  access: Access,
  { created, changes, attempts, arrivals, events, nowMs }: RunCommit,
  fence: Fence | null,
): Promise<{ readonly known: ReadonlySet<RunKey>; readonly eventId: number | null }> {
  // A run that was made and sent to a host within the same moment is written once, as it stands in the end.
  const own = new Set(created.map(({ key }) => key));
  const standings = new Map(changes.filter(({ key }) => own.has(key)).map((change) => [change.key, change]));
  const others = changes.filter(({ key }) => !own.has(key));
  const written = await together(access, fence, {
    created: createdPart(created, standings),
    changed: changedPart(others),
    attempted: attemptedPart(attempts),
    ...arrivalParts(arrivals),
    event: eventPart(access, events, nowMs),
  });
  const isNew = new Set(written.created);
  const [eventId = null] = written.event as readonly number[];
  return { known: new Set([...own].filter((key) => !isNew.has(key))), eventId };
}

/** Within a transaction. Returns the keys that were there already. */
export async function insertRuns(access: Access, runs: readonly NewRun[]): Promise<ReadonlySet<RunKey>> {
  const { created } = await together(access, null, { created: createdPart(runs, new Map()) });
  const isNew = new Set(created);
  return new Set(runs.map(({ key }) => key).filter((key) => !isNew.has(key)));
}

function createdPart(runs: readonly NewRun[], standings: ReadonlyMap<RunKey, RunStanding>): Part {
  const rows = runs.map((run) => ({
    ...standingRow(standings.get(run.key) ?? queued(run)),
    key: run.key,
    job_id: run.jobId,
    job_version: run.jobVersion,
    project: run.project,
    pool: run.pool,
    spec: storable(toJson(run.spec)),
    cause: run.cause.kind,
    cause_ref: storable(run.cause.ref),
    priority: run.priority,
    queued_ms: run.queuedMs,
    due_ms: run.dueMs,
  }));
  const names = namesOf(CREATED);
  return {
    columns: CREATED,
    rows,
    statement: (c) => sql`
      INSERT INTO runs (${listOf(names)}) SELECT ${listOf(names, 'c.')} FROM ${c} WHERE true
      ON CONFLICT (key) DO NOTHING`,
    returns: 'key',
  };
}

function queued({ notBeforeMs }: NewRun): RunStanding {
  return {
    state: 'queued',
    attempt: 1,
    notBeforeMs,
    outcome: null,
    code: null,
    signal: null,
    error: null,
    result: null,
    hostId: null,
    made: null,
    startedMs: null,
    endedMs: null,
    cancelRequestedMs: null,
    cancelRequestedBy: null,
    placement: null,
  };
}

function standingRow(standing: RunStanding): Record<keyof typeof STANDING, string | number | null> {
  return {
    state: standing.state,
    outcome: standing.outcome,
    code: standing.code,
    signal: standing.signal,
    error: storable(standing.error),
    result: storable(standing.result),
    host_id: standing.hostId,
    attempt: standing.attempt,
    made: standing.made === null ? null : toJson(standing.made),
    not_before_ms: standing.notBeforeMs,
    started_ms: standing.startedMs,
    ended_ms: standing.endedMs,
    cancel_requested_ms: standing.cancelRequestedMs,
    cancel_requested_by: storable(standing.cancelRequestedBy),
    placement: storable(standing.placement),
  };
}

function changedPart(changes: readonly RunChange[]): Part<keyof typeof CHANGED> {
  const rows = changes.map((change) => ({ key: change.key, ...standingRow(change) }));
  const assignments = sql.raw(
    namesOf(STANDING)
      .map((name) => `${name} = c.${name}`)
      .join(', '),
  );
  return {
    columns: CHANGED,
    rows,
    statement: (c) => sql`
      UPDATE runs SET ${assignments} FROM ${c}
      WHERE runs.key = c.key AND runs.state <> 'ended'`,
    returns: null,
  };
}

function attemptedPart(attempts: readonly FormerAttempt[]): Part<keyof typeof ATTEMPT> {
  const rows = attempts.map((attempt) => ({
    run_key: attempt.runKey,
    attempt: attempt.attempt,
    host_id: attempt.hostId,
    wire_key: attempt.wireKey,
    started_ms: attempt.startedMs,
    ended_ms: attempt.endedMs,
    outcome: attempt.outcome,
    code: attempt.code,
    signal: attempt.signal,
    error: storable(attempt.error),
  }));
  const names = namesOf(ATTEMPT);
  return {
    columns: ATTEMPT,
    rows,
    statement: (c) => sql`
      INSERT INTO attempts (${listOf(names)}) SELECT ${listOf(names, 'c.')} FROM ${c} WHERE true
      ON CONFLICT (run_key, attempt) DO NOTHING`,
    returns: null,
  };
}

/** Of each parent the last one counts. */
function arrivalParts(
  arrivals: readonly Arrival[],
): Record<'arrived' | 'consumed', Part<keyof typeof ARRIVAL>> {
  const last = new Map(arrivals.map((arrival) => [JSON.stringify([arrival.jobId, arrival.parent]), arrival]));
  const rows = [...last.values()].map(({ jobId, parent, result }) => ({
    job_id: jobId,
    parent: storable(parent),
    result: result === null ? null : storable(toJson(result)),
  }));
  const names = namesOf(ARRIVAL);
  return {
    arrived: {
      columns: ARRIVAL,
      rows: rows.filter(({ result }) => result !== null),
      statement: (c) => sql`
        INSERT INTO arrivals (${listOf(names)}) SELECT ${listOf(names, 'c.')} FROM ${c} WHERE true
        ON CONFLICT (job_id, parent) DO UPDATE SET result = excluded.result`,
      returns: null,
    },
    consumed: {
      columns: ARRIVAL,
      rows: rows.filter(({ result }) => result === null),
      statement: (c) =>
        sql`DELETE FROM arrivals WHERE (job_id, parent) IN (SELECT c.job_id, c.parent FROM ${c})`,
      returns: null,
    },
  };
}
