import { sql } from 'kysely';
import type { Access } from './access.ts';
import { type Columns, listOf, namesOf } from './batch.ts';
import type { Fence } from './leases.ts';
import { together } from './together.ts';
import type { JobId } from './vocabulary.ts';

/** When a job is due next by a version of its definition; `dueMs`: null: never again. */
export interface KeptNextDue {
  readonly jobId: JobId;
  readonly version: number;
  readonly dueMs: number | null;
}

const NEXT_DUE = {
  job_id: 'text',
  version: 'bigint',
  due_ms: 'bigint',
  rules: 'text',
} as const satisfies Columns<string>;

/**
 * What was computed of when jobs are due, for whoever leads next. It can be computed anew at any time, and is where
 * `rules`, by which it was computed (time zones change), are not the same.
 */
export class NextDue {
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  async save(kept: readonly KeptNextDue[], rules: string, fence: Fence | null): Promise<void> {
    const rows = kept.map(({ jobId, version, dueMs }) => ({ job_id: jobId, version, due_ms: dueMs, rules }));
    const names = namesOf(NEXT_DUE);
    await together(this.#access, fence, {
      kept: {
        columns: NEXT_DUE,
        rows,
        statement: (c) => sql`
          INSERT INTO next_due (${listOf(names)}) SELECT ${listOf(names, 'c.')} FROM ${c} WHERE true
          ON CONFLICT (job_id) DO UPDATE SET (${listOf(names)}) = (${listOf(names, 'excluded.')})`,
        returns: null,
      },
    });
  }

  async many(ids: readonly JobId[], rules: string): Promise<KeptNextDue[]> {
    if (ids.length === 0) return [];
    return await this.#access.db
      .selectFrom('nextDue')
      .select(['jobId', 'version', 'dueMs'])
      .where('jobId', 'in', ids)
      .where('rules', '=', rules)
      .execute();
  }
}
