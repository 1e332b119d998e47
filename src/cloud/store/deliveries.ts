import type { Access } from './access.ts';
import { oneNumber, type Page, pageOf, pageSize } from './page.ts';
import type { Row } from './schema.ts';
import { fromJson, storable, toJson } from './text.ts';

/** What is told, on its way to one channel. `notice` is plain JSON. */
export interface NewDelivery {
  /** The same for the same notice and channel: it is added once. */
  readonly id: string;
  readonly channel: string;
  readonly notice: unknown;
  readonly dueMs: number;
}

export interface DeliveryAttempt {
  readonly atMs: number;
  readonly tookMs: number;
  readonly ok: boolean;
  readonly status: number | null;
  readonly detail: string;
}

export interface DueDelivery<N> {
  readonly id: string;
  readonly channel: string;
  readonly notice: N;
  /** Attempts so far. */
  readonly made: number;
}

export interface DeliveryRecord<N> {
  readonly id: string;
  readonly channel: string;
  readonly notice: N;
  readonly createdMs: number;
  readonly state: 'waiting' | 'delivered' | 'given_up';
  /** When it is tried next; null: it is over. */
  readonly nextMs: number | null;
  /** The latest of them. */
  readonly attempts: readonly DeliveryAttempt[];
}

const KEPT_ATTEMPTS = 20;

/** Notices on their way to people, and what became of them. */
export class Deliveries {
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  /** Those whose id is known are left as they are. */
  async add(deliveries: readonly NewDelivery[]): Promise<void> {
    await this.#access.atomically((access) => addDeliveries(access, deliveries));
  }

  /** What is due, the earliest first, for other channels than these. */
  async due<N>(nowMs: number, limit: number, without: readonly string[]): Promise<DueDelivery<N>[]> {
    const rows = await this.#waiting(without)
      .select(['key', 'channel', 'body', 'made'])
      .where('nextMs', '<=', nowMs)
      .limit(limit)
      .execute();
    return rows.map(({ key, channel, body, made }) => ({
      id: key,
      channel,
      notice: fromJson<N>(body),
      made,
    }));
  }

  /** When the earliest is due that waits for another channel than these; null: none does. */
  async nextDueMs(without: readonly string[]): Promise<number | null> {
    const row = await this.#waiting(without).select('nextMs').limit(1).executeTakeFirst();
    return row?.nextMs ?? null;
  }

  #waiting(without: readonly string[]) {
    const query = this.#access.db.selectFrom('deliveries').where('nextMs', 'is not', null);
    // An empty list is no SQL.
    const others = without.length === 0 ? query : query.where('channel', 'not in', without);
    return others.orderBy('nextMs').orderBy('id');
  }

  /** Notes an attempt, once. `nextMs`: when it is tried again; null: it is over. */
  async settle(id: string, attempt: DeliveryAttempt, nextMs: number | null): Promise<void> {
    await this.#access.atomically(async (access) => {
      const { db } = access;
      const query = db.selectFrom('deliveries').select(['attempts', 'made']).where('key', '=', id);
      const row = await access.locked(query).executeTakeFirst();
      if (row === undefined) return;
      const attempts = fromJson<DeliveryAttempt[]>(row.attempts);
      // A transaction whose fate was not told may have been made.
      if (attempts.at(-1)?.atMs === attempt.atMs) return;
      await db
        .updateTable('deliveries')
        .set({
          attempts: storable(toJson([...attempts, attempt].slice(-KEPT_ATTEMPTS))),
          made: row.made + 1,
          state: nextMs !== null ? 'waiting' : attempt.ok ? 'delivered' : 'given_up',
          nextMs,
        })
        .where('key', '=', id)
        .execute();
    });
  }

  /** Latest first. */
  async list<N>({
    limit: wanted,
    cursor,
  }: {
    readonly limit?: number;
    readonly cursor?: string;
  }): Promise<Page<DeliveryRecord<N>>> {
    const limit = pageSize(wanted);
    let query = this.#access.db.selectFrom('deliveries').selectAll();
    if (cursor !== undefined) query = query.where('id', '<', oneNumber(cursor));
    const rows = await query
      .orderBy('id', 'desc')
      .limit(limit + 1)
      .execute();
    return pageOf(rows, limit, recordOf<N>, ({ id }) => [id]);
  }

  /** Forgets those that are over and were made before then; so many at most. Returns how many. */
  async expire(beforeMs: number, limit: number): Promise<number> {
    const { db } = this.#access;
    const over = db
      .selectFrom('deliveries')
      .select('id')
      .where('nextMs', 'is', null)
      .where('createdMs', '<', beforeMs)
      .orderBy('createdMs')
      .limit(limit);
    const { numDeletedRows } = await db
      .deleteFrom('deliveries')
      .where('id', 'in', over)
      .executeTakeFirstOrThrow();
    return Number(numDeletedRows);
  }
}

/** Within a transaction. */
export async function addDeliveries({ db }: Access, deliveries: readonly NewDelivery[]): Promise<void> {
  for (const { id, channel, notice, dueMs } of deliveries)
    await db
      .insertInto('deliveries')
      .values({
        key: id,
        channel: storable(channel),
        body: storable(toJson(notice)),
        state: 'waiting',
        attempts: '[]',
        made: 0,
        nextMs: dueMs,
        createdMs: dueMs,
      })
      .onConflict((conflict) => conflict.column('key').doNothing())
      .execute();
}

function recordOf<N>({ key, body, attempts, ...row }: Row<'deliveries'>): DeliveryRecord<N> {
  const { channel, createdMs, state, nextMs } = row;
  return {
    ...{ id: key, channel, createdMs, state, nextMs },
    notice: fromJson<N>(body),
    attempts: fromJson<DeliveryAttempt[]>(attempts),
  };
}
