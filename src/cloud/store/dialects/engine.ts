import type { Dialect, Kysely } from 'kysely';
import type { Wording } from '../migrations/index.ts';

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
  tableNames(db: Kysely<never>): Promise<string[]>;
  /** Writes a consistent copy while others go on reading and writing. */
  backup(file: string): Promise<void>;
}
