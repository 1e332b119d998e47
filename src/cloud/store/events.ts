import type { Access } from './access.ts';
import { fromJson, storable, toJson } from './text.ts';

/** What changed with one commit. Ids grow. */
export interface EventBatch {
  readonly id: number;
  readonly atMs: number;
  readonly events: readonly unknown[];
}

/** The log of changes that streams of events are resumed from. */
export class Events {
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  async append(events: readonly unknown[], nowMs: number): Promise<number | null> {
    return await this.#access.atomically((access) => appendEvents(access, events, nowMs));
  }

  /** Those after an id, in order. */
  async after(id: number, limit: number): Promise<EventBatch[]> {
    const rows = await this.#access.db
      .selectFrom('events')
      .selectAll()
      .where('id', '>', id)
      .orderBy('id')
      .limit(limit)
      .execute();
    return rows.map((row) => ({ id: row.id, atMs: row.atMs, events: fromJson<unknown[]>(row.data) }));
  }

  /** The ids of the oldest and the newest one; 0 and 0 where there is none. */
  async range(): Promise<{ readonly first: number; readonly last: number }> {
    const { db } = this.#access;
    const first = await db.selectFrom('events').select('id').orderBy('id').limit(1).executeTakeFirst();
    const last = await db.selectFrom('events').select('id').orderBy('id', 'desc').limit(1).executeTakeFirst();
    return { first: first?.id ?? 0, last: last?.id ?? 0 };
  }

  /** Forgets all but the newest so many. */
  async expire(keep: number): Promise<void> {
    const { last } = await this.range();
    await this.#access.db
      .deleteFrom('events')
      .where('id', '<=', last - keep)
      .execute();
  }
}

/**
 * Within a transaction; returns the id, or null where there is nothing to append. Whoever appends holds the lock to its
 * end, so that ids are seen in their order.
 */
export async function appendEvents(
  access: Access,
  events: readonly unknown[],
  nowMs: number,
): Promise<number | null> {
  if (events.length === 0) return null;
  await access.engine.lockEvents(access.db);
  const { id } = await access.db
    .insertInto('events')
    .values({ atMs: nowMs, data: storable(toJson(events)) })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}
