import { sql } from 'kysely';
import type { Access } from './access.ts';
import { type Columns, listOf, namesOf } from './batch.ts';
import { appendEvents } from './events.ts';
import { checkFence, type Fence } from './leases.ts';
import { oneNumber, type Page, pageOf, pageSize } from './page.ts';
import { insertRuns } from './run-commit.ts';
import type { NewRun } from './runs.ts';
import type { Row } from './schema.ts';
import { storable } from './text.ts';
import { together } from './together.ts';
import type { JobId, RunKey, SkipReason } from './vocabulary.ts';

/** What became of one due instant of a job: for ever. */
export interface LedgerEntry {
  readonly jobId: JobId;
  readonly dueMs: number;
  readonly decidedMs: number;
  /** Of the definition that was in force. */
  readonly version: number;
  readonly became:
    | { readonly verdict: 'run'; readonly runKey: RunKey }
    | { readonly verdict: 'skipped'; readonly reason: SkipReason; readonly detail: string | null };
}

/** A fire, and the run that it became. */
export interface Decision {
  readonly entry: LedgerEntry;
  readonly run: NewRun | null;
}

const FIRE = {
  job_id: 'text',
  due_ms: 'bigint',
  decided_ms: 'bigint',
  version: 'bigint',
  verdict: 'text',
  reason: 'text',
  detail: 'text',
  run_key: 'text',
} as const satisfies Columns<string>;

/** Every fire has a row, whether it ran or not. */
export class Ledger {
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  /**
   * Notes fires, and with each its run, all or none. Returns the decisions that are new: what was decided before, by
   * whomever, stays as it is. The run is needed where a fire became one.
   */
  async record(
    decisions: readonly Decision[],
    more: { readonly fence: Fence | null; readonly events: readonly unknown[]; readonly nowMs: number },
  ): Promise<{ readonly fresh: readonly Decision[]; readonly eventId: number | null }> {
    for (const { entry, run } of decisions) {
      const key = entry.became.verdict === 'run' ? entry.became.runKey : null;
      if (key !== (run?.key ?? null))
        throw new Error('a fire that becomes a run has that run, and no other has one');
    }
    return await this.#access.atomically(async (access) => {
      if (more.fence !== null) await checkFence(access, more.fence);
      const recorded = await insertFires(access, decisions);
      const fresh = decisions.filter(({ entry }) => recorded.has(`${entry.jobId} ${entry.dueMs}`));
      const runs = fresh.flatMap(({ run }) => run ?? []);
      // The run's key says job and due time: where it is there already, it is this very run.
      const known = await insertRuns(access, runs);
      const eventId = await appendEvents(access, more.events, more.nowMs);
      return { fresh: fresh.filter(({ run }) => run === null || !known.has(run.key)), eventId };
    });
  }

  async get(jobId: JobId, dueMs: number): Promise<LedgerEntry | null> {
    const row = await this.#access.db
      .selectFrom('fires')
      .selectAll()
      .where('jobId', '=', jobId)
      .where('dueMs', '=', dueMs)
      .executeTakeFirst();
    return row === undefined ? null : entryOf(row);
  }

  /** The fires of a job in fromMs ≤ due < untilMs, in order, or the latest first. */
  async list(
    jobId: JobId,
    range: {
      readonly fromMs: number;
      readonly untilMs: number;
      readonly order?: 'asc' | 'desc';
      readonly limit?: number;
      readonly cursor?: string;
    },
  ): Promise<Page<LedgerEntry>> {
    const limit = pageSize(range.limit);
    const { order = 'asc' } = range;
    const after = range.cursor === undefined ? null : oneNumber(range.cursor);
    let query = this.#access.db
      .selectFrom('fires')
      .selectAll()
      .where('jobId', '=', jobId)
      .where('dueMs', '>=', range.fromMs)
      .where('dueMs', '<', range.untilMs);
    if (after !== null) query = query.where('dueMs', order === 'asc' ? '>' : '<', after);
    const rows = await query
      .orderBy('dueMs', order)
      .limit(limit + 1)
      .execute();
    return pageOf(rows, limit, entryOf, ({ dueMs }) => [dueMs]);
  }

  /** Those of all jobs that were due from then on. */
  async since(fromMs: number): Promise<{ readonly jobId: JobId; readonly dueMs: number }[]> {
    return await this.#access.db
      .selectFrom('fires')
      .select(['jobId', 'dueMs'])
      .where('dueMs', '>=', fromMs)
      .execute();
  }

  /** Forgets fires that were due before then, whose runs are forgotten too; so many at most. */
  async expire(beforeMs: number, limit: number): Promise<number> {
    const { db } = this.#access;
    const last = await db
      .selectFrom('fires')
      .select(['dueMs', 'jobId'])
      .where('dueMs', '<', beforeMs)
      .orderBy('dueMs')
      .orderBy('jobId')
      .offset(limit - 1)
      .limit(1)
      .executeTakeFirst();
    const old = db.deleteFrom('fires').where('dueMs', '<', beforeMs);
    const oldest =
      last === undefined ? old : old.where(sql<boolean>`(due_ms, job_id) <= (${last.dueMs}, ${last.jobId})`);
    return Number((await oldest.executeTakeFirstOrThrow()).numDeletedRows);
  }
}

async function insertFires(access: Access, decisions: readonly Decision[]): Promise<ReadonlySet<string>> {
  const rows = decisions.map(({ entry: { jobId, dueMs, decidedMs, version, became } }) => ({
    job_id: jobId,
    due_ms: dueMs,
    decided_ms: decidedMs,
    version,
    verdict: became.verdict,
    reason: became.verdict === 'skipped' ? became.reason : null,
    detail: became.verdict === 'skipped' ? storable(became.detail) : null,
    run_key: became.verdict === 'run' ? became.runKey : null,
  }));
  const names = namesOf(FIRE);
  const { fires } = await together(access, null, {
    fires: {
      columns: FIRE,
      rows,
      statement: (c) => sql`
        INSERT INTO fires (${listOf(names)}) SELECT ${listOf(names, 'c.')} FROM ${c} WHERE true
        ON CONFLICT (job_id, due_ms) DO NOTHING`,
      returns: "job_id || ' ' || due_ms",
    },
  });
  return new Set(fires as readonly string[]);
}

function entryOf({ verdict: _, reason, detail, runKey, ...rest }: Row<'fires'>): LedgerEntry {
  if (runKey !== null) return { ...rest, became: { verdict: 'run', runKey } };
  if (reason !== null) return { ...rest, became: { verdict: 'skipped', reason, detail } };
  throw new Error(`the fire of ${rest.jobId} at ${rest.dueMs} has neither run nor reason`);
}
