import type { Access } from './access.ts';
import { fromJson, storable, toJson } from './text.ts';

/** What became of a request that may be sent again. */
export type Claim<T> =
  | { readonly state: 'new' }
  /** It is being dealt with, or whoever did died meanwhile. */
  | { readonly state: 'pending' }
  | { readonly state: 'answered'; readonly answer: T }
  /** The key was used for another request. */
  | { readonly state: 'other' };

/** Keys by which a request that is sent twice is done once. */
export class IdempotencyKeys {
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  async claim<T>(key: string, requestHash: string, nowMs: number, untilMs: number): Promise<Claim<T>> {
    return await this.#access.atomically(async ({ db }) => {
      await db.deleteFrom('idempotencyKeys').where('expiresMs', '<', nowMs).execute();
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('idempotencyKeys')
        .values({ key: storable(key), requestHash, answer: null, expiresMs: untilMs })
        .onConflict((conflict) => conflict.column('key').doNothing())
        .executeTakeFirstOrThrow();
      if (Number(numInsertedOrUpdatedRows) > 0) return { state: 'new' };
      const row = await db
        .selectFrom('idempotencyKeys')
        .selectAll()
        .where('key', '=', storable(key))
        .executeTakeFirstOrThrow();
      if (row.requestHash !== requestHash) return { state: 'other' };
      return row.answer === null
        ? { state: 'pending' }
        : { state: 'answered', answer: fromJson<T>(row.answer) };
    });
  }

  async answer(key: string, answer: unknown): Promise<void> {
    await this.#access.db
      .updateTable('idempotencyKeys')
      .set({ answer: storable(toJson(answer)) })
      .where('key', '=', storable(key))
      .execute();
  }

  /** Whoever dealt with these has died meanwhile: they may be done anew. */
  async forgetPending(): Promise<void> {
    await this.#access.db.deleteFrom('idempotencyKeys').where('answer', 'is', null).execute();
  }

  /** The request failed: it may be done anew. */
  async forget(key: string): Promise<void> {
    await this.#access.db.deleteFrom('idempotencyKeys').where('key', '=', storable(key)).execute();
  }
}
