import type { Dialect, Kysely } from 'kysely';
import type { Wording } from '../migrations/index.ts';
import type { Database } from '../schema.ts';

/** One of the two databases: everything in which they differ. Whoever has it closes Kysely, and with it the connections. */
export interface Engine {
  readonly kind: 'sqlite' | 'postgres';
  /** For messages: the file, or server and database; never a password. */
  readonly place: string;
  readonly dialect: Dialect;
  readonly wording: Wording;
  /** Whether rows are locked one by one (SELECT … FOR UPDATE). In SQLite a transaction has all of it anyway. */
  readonly locksRows: boolean;
  /** Whether a transaction that failed with this may simply be done again. */
  isRetryable(error: unknown): boolean;
  /** The database's own clock. */
  nowMs(db: Kysely<Database>): Promise<number>;
  /** Until the end of the transaction nobody else appends an event: ids are committed in their order. */
  lockEvents(db: Kysely<Database>): Promise<void>;
  tableNames(db: Kysely<never>): Promise<string[]>;
  /** Writes a consistent copy while others go on reading and writing. */
  backup(file: string): Promise<void>;
}
