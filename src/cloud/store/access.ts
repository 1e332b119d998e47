import { setTimeout } from 'node:timers/promises';
import type { Kysely, SelectQueryBuilder } from 'kysely';
import type { Engine } from './dialects/index.ts';
import type { Database } from './schema.ts';

const MAX_TRIES = 6;
const PAUSE_MS = 5;

/** How the aggregates reach the database: by itself, or in a transaction that is under way. */
export class Access {
  readonly db: Kysely<Database>;
  readonly engine: Engine;

  constructor(db: Kysely<Database>, engine: Engine) {
    this.db = db;
    this.engine = engine;
  }

  /**
   * All that `work` does through its argument, or nothing. Inside a transaction it is part of that one. `work` may be
   * done several times (PostgreSQL: deadlock), so it changes nothing but the database, and it must not use anything
   * outside its argument: in SQLite that would wait for itself.
   */
  async atomically<T>(work: (access: Access) => Promise<T>): Promise<T> {
    if (this.db.isTransaction) return work(this);
    return await this.retried(() => this.db.transaction().execute((tx) => work(new Access(tx, this.engine))));
  }

  /** What is one statement or one transaction; again, where it failed only because of another one. */
  async retried<T>(work: () => Promise<T>): Promise<T> {
    // What has failed in a transaction is over with all of it.
    if (this.db.isTransaction) return await work();
    for (let tried = 1; ; tried++) {
      try {
        return await work();
      } catch (error) {
        if (tried === MAX_TRIES || !this.engine.isRetryable(error)) throw error;
        await setTimeout(Math.random() * PAUSE_MS * 2 ** tried);
      }
    }
  }

  /** Locks the rows until the end of the transaction; rows that another one has locked are waited for. */
  locked<TB extends keyof Database, O>(
    query: SelectQueryBuilder<Database, TB, O>,
  ): SelectQueryBuilder<Database, TB, O> {
    return this.engine.locksRows ? query.forUpdate() : query;
  }
}
