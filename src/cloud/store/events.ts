import { sql } from 'kysely';
import type { Access } from './access.ts';
import { fromJson, storable, toJson } from './text.ts';
import { type Part, together } from './together.ts';

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

/** Within a transaction; returns the id, or null where there is nothing to append. */
export async function appendEvents(
  access: Access,
  events: readonly unknown[],
  nowMs: number,
): Promise<number | null> {
  const { event } = await together(access, null, { event: eventPart(access, events, nowMs) });
  return (event as readonly number[])[0] ?? null;
}

/** Whoever appends holds the lock to the end of the transaction, so that ids are seen in their order. */
export function eventPart({ engine }: Access, events: readonly unknown[], nowMs: number): Part {
  return {
    columns: { at_ms: 'bigint', data: 'text' },
    rows: events.length === 0 ? [] : [{ at_ms: nowMs, data: storable(toJson(events)) }],
    statement: (c) =>
      sql`INSERT INTO events (at_ms, data) SELECT c.at_ms, c.data FROM ${engine.withEventsLocked(c)}`,
    returns: 'id',
  };
}
