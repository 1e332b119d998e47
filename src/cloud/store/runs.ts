import { sql } from 'kysely';
import type { Access } from './access.ts';
import { type Columns, listOf, namesOf, rowsOf } from './batch.ts';
import { appendEvents } from './events.ts';
import { checkFence, type Fence } from './leases.ts';
import { type Page, pageOf, pageSize } from './page.ts';
import { type RunFilter, type RunRow, selectPage, selectRuns } from './run-list.ts';
import { Surplus } from './surplus.ts';
import { fromJson, storable, toJson } from './text.ts';
import type { HostId, JobId, RunCause, RunKey, RunOutcome, RunState } from './vocabulary.ts';

export type { RunFilter } from './run-list.ts';

/** A run as it begins: in the queue. */
export interface NewRun {
  readonly key: RunKey;
  readonly jobId: JobId | null;
  readonly jobVersion: number | null;
  readonly project: string;
  readonly pool: string;
  /** What is sent to the host, and how the cloud deals with it: plain JSON. */
  readonly spec: unknown;
  readonly cause: RunCause;
  readonly priority: number;
  readonly queuedMs: number;
  /** Of a fire. */
  readonly dueMs: number | null;
  readonly notBeforeMs: number;
}

/** How a run stands: what changes of it. */
export interface RunStanding {
  readonly state: RunState;
  readonly outcome: RunOutcome | null;
  readonly code: number | null;
  readonly signal: string | null;
  readonly error: string | null;
  /** JSON. */
  readonly result: string | null;
  readonly hostId: HostId | null;
  readonly attempt: number;
  /** How many attempts ended for which reason; null: none did. */
  readonly made: Readonly<Record<string, number>> | null;
  readonly notBeforeMs: number | null;
  readonly startedMs: number | null;
  readonly endedMs: number | null;
  readonly cancelRequestedMs: number | null;
  readonly cancelRequestedBy: string | null;
  /** Why this host; while it is queued, what it waits for. */
  readonly placement: string | null;
}

export type RunChange = RunStanding & { readonly key: RunKey };

/** A run as the store has it. */
export interface RunRecord extends NewRun, RunStanding {
  readonly notBeforeMs: number;
  /** The name of its job; null: it has none. */
  readonly job: string | null;
}

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
  readonly changes: readonly RunChange[];
  readonly attempts: readonly FormerAttempt[];
  readonly arrivals: readonly Arrival[];
  readonly events: readonly unknown[];
  readonly nowMs: number;
}

const CREATED = {
  key: 'text',
  job_id: 'text',
  job_version: 'bigint',
  project: 'text',
  pool: 'text',
  spec: 'text',
  cause: 'text',
  cause_ref: 'text',
  state: 'text',
  attempt: 'bigint',
  priority: 'bigint',
  queued_ms: 'bigint',
  due_ms: 'bigint',
  not_before_ms: 'bigint',
} as const satisfies Columns<string>;

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

/** Runs, from the queue to their outcome. */
export class Runs {
  readonly #access: Access;
  readonly #surplus: Surplus;

  constructor(access: Access) {
    this.#access = access;
    this.#surplus = new Surplus(access);
  }

  /**
   * Writes new runs, changes and events, all of it or nothing. A run that has ended is never changed again, and a key
   * that is there already is not created again: those keys are returned. Throws LeaseLost where the fence does not hold.
   */
  async commit(
    commit: RunCommit,
    fence: Fence | null,
  ): Promise<{ readonly known: ReadonlySet<RunKey>; readonly eventId: number | null }> {
    return await this.#access.atomically(async (access) => {
      if (fence !== null) await checkFence(access, fence);
      const known = await insertRuns(access, commit.created);
      await updateRuns(access, commit.changes);
      await insertAttempts(access, commit.attempts);
      await writeArrivals(access, commit.arrivals);
      const eventId = await appendEvents(access, commit.events, commit.nowMs);
      return { known, eventId };
    });
  }

  async get(key: RunKey): Promise<RunRecord | null> {
    const row = await selectRuns(this.#access).where('runs.key', '=', key).executeTakeFirst();
    return row === undefined ? null : recordOf(row);
  }

  async many(keys: readonly RunKey[]): Promise<RunRecord[]> {
    if (keys.length === 0) return [];
    return (await selectRuns(this.#access).where('runs.key', 'in', keys).execute()).map(recordOf);
  }

  /** All that have not ended, oldest first. Their number is bounded by whoever creates them. */
  async active(): Promise<RunRecord[]> {
    const rows = await selectRuns(this.#access)
      .where('runs.endedMs', 'is', null)
      .orderBy('runs.queuedMs')
      .orderBy('runs.key')
      .execute();
    return rows.map(recordOf);
  }

  /** Newest first. */
  async list(filter: RunFilter): Promise<Page<RunRecord>> {
    const limit = pageSize(filter.limit);
    const rows = await this.listQuery(filter).execute();
    return pageOf(rows, limit, recordOf, ({ queuedMs, key }) => [queuedMs, key]);
  }

  /** A page and one row more. For tests of the plan that the database makes of it. */
  listQuery(filter: RunFilter) {
    return selectPage(this.#access, filter);
  }

  async arrivals(): Promise<Arrival[]> {
    const rows = await this.#access.db.selectFrom('arrivals').selectAll().execute();
    return rows.map((row) => ({ ...row, result: fromJson<unknown>(row.result) }));
  }

  /** Attempts before the last one, in order. */
  async formerAttempts(key: RunKey): Promise<FormerAttempt[]> {
    return await this.#access.db
      .selectFrom('attempts')
      .selectAll()
      .where('runKey', '=', key)
      .orderBy('attempt')
      .execute();
  }

  /** The run that an attempt belongs to, by the key that its host knows it by. */
  async keyOfAttempt(wireKey: RunKey): Promise<RunKey | null> {
    const { db } = this.#access;
    const run = await db.selectFrom('runs').select('key').where('key', '=', wireKey).executeTakeFirst();
    if (run !== undefined) return run.key;
    const attempt = await db
      .selectFrom('attempts')
      .select('runKey')
      .where('wireKey', '=', wireKey)
      .executeTakeFirst();
    return attempt?.runKey ?? null;
  }

  /** How many ended with which outcome since then. */
  async outcomesSince(sinceMs: number): Promise<Partial<Record<RunOutcome, number>>> {
    const rows = await this.#access.db
      .selectFrom('runs')
      .select(['outcome', (eb) => eb.fn.countAll<number>().as('count')])
      .where('endedMs', '>=', sinceMs)
      .groupBy('outcome')
      .execute();
    return Object.fromEntries(rows.map(({ outcome, count }) => [outcome, Number(count)]));
  }

  /**
   * Forgets ended runs: the ones that ended before `beforeMs`, and beyond the newest `keep` all others; `limit` at most.
   * Returns how many. Where there are so many that counting them takes long, that is done less often.
   */
  async expire({
    beforeMs,
    keep,
    limit,
  }: {
    readonly beforeMs: number;
    readonly keep: number;
    readonly limit: number;
  }): Promise<number> {
    const { db } = this.#access;
    const surplus = await this.#surplus.last(keep);
    const isOver =
      surplus === null || surplus.endedMs < beforeMs
        ? sql<boolean>`ended_ms < ${beforeMs}`
        : sql<boolean>`(ended_ms, key) <= (${surplus.endedMs}, ${surplus.key})`;
    const oldest = await db
      .selectFrom('runs')
      .select('key')
      .where('endedMs', 'is not', null)
      .where(isOver)
      .orderBy('endedMs')
      .orderBy('key')
      .limit(limit)
      .execute();
    const keys = oldest.map(({ key }) => key);
    if (keys.length > 0) await db.deleteFrom('runs').where('key', 'in', keys).execute();
    return keys.length;
  }
}

/** Within a transaction. Returns the keys that were there already. */
export async function insertRuns(access: Access, runs: readonly NewRun[]): Promise<ReadonlySet<RunKey>> {
  if (runs.length === 0) return new Set();
  const rows = runs.map((run) => ({
    key: run.key,
    job_id: run.jobId,
    job_version: run.jobVersion,
    project: run.project,
    pool: run.pool,
    spec: storable(toJson(run.spec)),
    cause: run.cause.kind,
    cause_ref: storable(run.cause.ref),
    state: 'queued',
    attempt: 1,
    priority: run.priority,
    queued_ms: run.queuedMs,
    due_ms: run.dueMs,
    not_before_ms: run.notBeforeMs,
  }));
  const names = namesOf(CREATED);
  const { rows: inserted } = await sql<{ key: RunKey }>`
    INSERT INTO runs (${listOf(names)}) SELECT ${listOf(names, 'c.')} FROM ${rowsOf(access, CREATED, rows)} WHERE true
    ON CONFLICT (key) DO NOTHING RETURNING key`.execute(access.db);
  if (inserted.length === runs.length) return new Set();
  const created = new Set(inserted.map(({ key }) => key));
  return new Set(runs.map(({ key }) => key).filter((key) => !created.has(key)));
}

async function updateRuns(access: Access, changes: readonly RunChange[]): Promise<void> {
  if (changes.length === 0) return;
  const rows = changes.map((change) => ({
    key: change.key,
    state: change.state,
    outcome: change.outcome,
    code: change.code,
    signal: change.signal,
    error: storable(change.error),
    result: storable(change.result),
    host_id: change.hostId,
    attempt: change.attempt,
    made: change.made === null ? null : toJson(change.made),
    not_before_ms: change.notBeforeMs,
    started_ms: change.startedMs,
    ended_ms: change.endedMs,
    cancel_requested_ms: change.cancelRequestedMs,
    cancel_requested_by: storable(change.cancelRequestedBy),
    placement: storable(change.placement),
  }));
  const assignments = sql.raw(
    namesOf(STANDING)
      .map((name) => `${name} = c.${name}`)
      .join(', '),
  );
  await sql`
    UPDATE runs SET ${assignments} FROM ${rowsOf(access, CHANGED, rows)}
    WHERE runs.key = c.key AND runs.state <> 'ended'`.execute(access.db);
}

async function insertAttempts(access: Access, attempts: readonly FormerAttempt[]): Promise<void> {
  if (attempts.length === 0) return;
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
  await sql`
    INSERT INTO attempts (${listOf(names)}) SELECT ${listOf(names, 'c.')} FROM ${rowsOf(access, ATTEMPT, rows)} WHERE true
    ON CONFLICT (run_key, attempt) DO NOTHING`.execute(access.db);
}

/** In their order. */
async function writeArrivals({ db }: Access, arrivals: readonly Arrival[]): Promise<void> {
  for (const { jobId, parent, result } of arrivals) {
    if (result === null) {
      await db.deleteFrom('arrivals').where('jobId', '=', jobId).where('parent', '=', parent).execute();
      continue;
    }
    const text = storable(toJson(result));
    await db
      .insertInto('arrivals')
      .values({ jobId, parent: storable(parent), result: text })
      .onConflict((conflict) => conflict.columns(['jobId', 'parent']).doUpdateSet({ result: text }))
      .execute();
  }
}

function recordOf(row: RunRow): RunRecord {
  const { spec, cause, causeRef, made, jobName, notBeforeMs, ...rest } = row;
  return {
    ...rest,
    job: jobName,
    spec: fromJson<unknown>(spec),
    cause: { kind: cause, ref: causeRef },
    made: made === null ? null : fromJson<Record<string, number>>(made),
    notBeforeMs: notBeforeMs ?? rest.queuedMs,
  };
}
