import { type RawBuilder, sql } from 'kysely';
import type { Access } from './access.ts';
import { StoreError } from './error.ts';

/** Who may write as the leader: the holder of this epoch of the lease, and nobody after it. */
export interface Fence {
  readonly name: string;
  readonly holder: string;
  readonly epoch: number;
}

/** Leases: one holder at a time. Times are the database's own, so that clocks of instances need not agree. */
export class Leases {
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  /**
   * Takes a lease for `ttlMs`. Null: somebody has it. Each taking is another epoch: whoever had it before can write
   * nothing more. `force`: also from a holder whose time is not over, for who knows that it is dead.
   */
  async acquire(
    name: string,
    holder: string,
    ttlMs: number,
    { force = false }: { readonly force?: boolean } = {},
  ): Promise<Fence | null> {
    return await this.#access.atomically(async (access) => {
      const { db, engine } = access;
      const nowMs = await engine.nowMs(db);
      await db
        .insertInto('leases')
        .values({ name, holder: '', epoch: 0, expiresMs: 0 })
        .onConflict((conflict) => conflict.column('name').doNothing())
        .execute();
      const lease = await access
        .locked(db.selectFrom('leases').selectAll().where('name', '=', name))
        .executeTakeFirstOrThrow();
      if (!force && lease.expiresMs > nowMs) return null;
      const epoch = lease.epoch + 1;
      await db
        .updateTable('leases')
        .set({ holder, epoch, expiresMs: nowMs + ttlMs })
        .where('name', '=', name)
        .execute();
      return { name, holder, epoch };
    });
  }

  /** False: somebody has taken it since. One whose time is over can still be renewed as long as nobody has. */
  async renew({ name, holder, epoch }: Fence, ttlMs: number): Promise<boolean> {
    const { db, engine } = this.#access;
    const { numUpdatedRows } = await db
      .updateTable('leases')
      .set({ expiresMs: (await engine.nowMs(db)) + ttlMs })
      .where('name', '=', name)
      .where('holder', '=', holder)
      .where('epoch', '=', epoch)
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  }

  /** Those whose time is not over. */
  async held(): Promise<{ readonly name: string; readonly holder: string; readonly expiresMs: number }[]> {
    const { db, engine } = this.#access;
    return await db
      .selectFrom('leases')
      .select(['name', 'holder', 'expiresMs'])
      .where('expiresMs', '>', await engine.nowMs(db))
      .orderBy('name')
      .execute();
  }

  /** Gives it up, so that the next one need not wait for its end. */
  async release({ name, holder, epoch }: Fence): Promise<void> {
    await this.#access.db
      .updateTable('leases')
      .set({ expiresMs: 0 })
      .where('name', '=', name)
      .where('holder', '=', holder)
      .where('epoch', '=', epoch)
      .execute();
  }
}

/** Within a transaction: throws `lease_lost` unless the lease is still that holder's in that epoch, until it commits. */
export async function checkFence(access: Access, fence: Fence): Promise<void> {
  const { rows } = await leaseOf(access, fence).execute(access.db);
  if (rows.length === 0) throw leaseLost(fence);
}

/** Finds the lease if it is still that holder's in that epoch, and keeps others from taking it. */
export function leaseOf({ engine }: Access, { name, holder, epoch }: Fence): RawBuilder<unknown> {
  const lock = engine.locksRows ? sql`FOR SHARE` : sql``;
  return sql`SELECT epoch FROM leases WHERE name = ${name} AND holder = ${holder} AND epoch = ${epoch} ${lock}`;
}

export function leaseLost({ name, holder }: Fence): StoreError {
  return new StoreError('lease_lost', `another instance leads: ${holder} is not the ${name} any more`);
}
