import { setImmediate as nextTurn } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Access } from './access.ts';
import type { Fence } from './leases.ts';
import { type Page, pageOf, pageSize } from './page.ts';
import { type Arrival, type FormerAttempt, type RunCommit, writeCommit } from './run-commit.ts';
import { type RunFilter, type RunRow, selectPage, selectRuns } from './run-list.ts';
import { Surplus } from './surplus.ts';
import { fromJson } from './text.ts';
import type { HostId, JobId, RunCause, RunKey, RunOutcome, RunState } from './vocabulary.ts';

export type { Arrival, FormerAttempt, RunCommit } from './run-commit.ts';
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

/** Rows at a time. */
const SLICE = 1_000;
/** Specifications that are kept while all active runs are read. */
const MAX_SHARED = 1_000;
const BEFORE_ALL: Pick<RunRow, 'queuedMs' | 'key'> = { queuedMs: -1, key: '' as RunKey };

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
    return await writeCommit(this.#access, commit, fence);
  }

  async get(key: RunKey): Promise<RunRecord | null> {
    const row = await selectRuns(this.#access).where('runs.key', '=', key).executeTakeFirst();
    return row === undefined ? null : recordOf(row);
  }

  async many(keys: readonly RunKey[]): Promise<RunRecord[]> {
    if (keys.length === 0) return [];
    return (await selectRuns(this.#access).where('runs.key', 'in', keys).execute()).map(recordOf);
  }

  /** All that have not ended, oldest first, a part at a time. Those with the same specification share it. */
  async *active(): AsyncGenerator<RunRecord, void, void> {
    const specs = new Map<string, unknown>();
    const specOf = (text: string): unknown => {
      if (specs.size > MAX_SHARED) specs.clear();
      const spec = specs.get(text) ?? fromJson<unknown>(text);
      specs.set(text, spec);
      return spec;
    };
    for (let after: Pick<RunRow, 'queuedMs' | 'key'> | undefined = BEFORE_ALL; after !== undefined; ) {
      const rows: RunRow[] = await this.activeQuery(after).execute();
      for (const row of rows) yield recordWith(row, specOf(row.spec));
      after = rows.at(-1);
      // SQLite answers within the turn, and others want one meanwhile.
      await nextTurn();
    }
  }

  /** A part of them. For tests of the plan that the database makes of it. */
  activeQuery({ queuedMs, key } = BEFORE_ALL) {
    return selectRuns(this.#access)
      .where('runs.endedMs', 'is', null)
      .where(sql<boolean>`(runs.queued_ms, runs.key) > (${queuedMs}, ${key})`)
      .orderBy('runs.queuedMs')
      .orderBy('runs.key')
      .limit(SLICE);
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

function recordOf(row: RunRow): RunRecord {
  return recordWith(row, fromJson<unknown>(row.spec));
}

function recordWith(row: RunRow, spec: unknown): RunRecord {
  const { cause, causeRef, made, jobName, notBeforeMs, ...rest } = row;
  return {
    ...rest,
    job: jobName,
    spec,
    cause: { kind: cause, ref: causeRef },
    made: made === null ? null : fromJson<Record<string, number>>(made),
    notBeforeMs: notBeforeMs ?? rest.queuedMs,
  };
}
