import type { Access } from './access.ts';
import { oneNumber, type Page, pageOf, pageSize } from './page.ts';
import type { Row } from './schema.ts';
import { storable, toJson } from './text.ts';
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
    | { readonly verdict: 'skipped'; readonly reason: SkipReason };
}

/** A run as it begins: in the queue. */
export interface NewRun {
  readonly key: RunKey;
  readonly project: string;
  readonly pool: string;
  /** What is sent to the host. */
  readonly spec: unknown;
  readonly priority: number;
  readonly notBeforeMs: number;
}

/** Every fire has a row, whether it ran or not. */
export class Ledger {
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  /**
   * Notes a fire, and with it its run, both or neither. False: it was decided before, and nothing has changed. The run is
   * needed where it became one.
   */
  async record(entry: LedgerEntry, run: NewRun | null): Promise<boolean> {
    const { jobId, dueMs, decidedMs, version, became } = entry;
    if (
      (became.verdict === 'run') !== (run !== null) ||
      (run !== null && became.verdict === 'run' && run.key !== became.runKey)
    )
      throw new Error('a fire that becomes a run has that run, and no other has one');
    return await this.#access.atomically(async ({ db }) => {
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('fires')
        .values({
          jobId,
          dueMs,
          decidedMs,
          version,
          verdict: became.verdict,
          reason: became.verdict === 'skipped' ? became.reason : null,
          runKey: became.verdict === 'run' ? became.runKey : null,
        })
        .onConflict((conflict) => conflict.columns(['jobId', 'dueMs']).doNothing())
        .executeTakeFirstOrThrow();
      if (Number(numInsertedOrUpdatedRows) === 0) return false;
      if (run === null) return true;
      await db
        .insertInto('runs')
        .values({
          key: run.key,
          jobId,
          jobVersion: version,
          project: run.project,
          pool: run.pool,
          spec: storable(toJson(run.spec)),
          cause: 'schedule',
          state: 'queued',
          attempt: 0,
          priority: run.priority,
          queuedMs: decidedMs,
          dueMs,
          notBeforeMs: run.notBeforeMs,
        })
        .execute();
      return true;
    });
  }

  /** The fires of a job in fromMs ≤ due < untilMs, in order. */
  async list(
    jobId: JobId,
    range: {
      readonly fromMs: number;
      readonly untilMs: number;
      readonly limit?: number;
      readonly cursor?: string;
    },
  ): Promise<Page<LedgerEntry>> {
    const limit = pageSize(range.limit);
    const after = range.cursor === undefined ? null : oneNumber(range.cursor);
    let query = this.#access.db
      .selectFrom('fires')
      .selectAll()
      .where('jobId', '=', jobId)
      .where('dueMs', '>=', range.fromMs)
      .where('dueMs', '<', range.untilMs);
    if (after !== null) query = query.where('dueMs', '>', after);
    const rows = await query
      .orderBy('dueMs')
      .limit(limit + 1)
      .execute();
    return pageOf(rows, limit, entryOf, ({ dueMs }) => [dueMs]);
  }
}

function entryOf({ verdict: _, reason, runKey, ...rest }: Row<'fires'>): LedgerEntry {
  if (runKey !== null) return { ...rest, became: { verdict: 'run', runKey } };
  if (reason !== null) return { ...rest, became: { verdict: 'skipped', reason } };
  throw new Error(`the fire of ${rest.jobId} at ${rest.dueMs} has neither run nor reason`);
}
