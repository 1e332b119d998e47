import type { Dialect, Kysely, RawBuilder } from 'kysely';
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
  /** The rows of an event that is appended: until the end of the transaction nobody else appends one. */
  withEventsLocked(rows: RawBuilder<unknown>): RawBuilder<unknown>;
  /**
   * Executes a statement with each of these parameters, on the one connection that there is and within its transaction,
   * and returns all rows. Null: there are several connections.
   */
  readonly executeEach:
    | ((text: string, parameters: readonly (readonly unknown[])[]) => readonly unknown[])
    | null;
  tableNames(db: Kysely<never>): Promise<string[]>;
  /**
   * A column that SQLite must not choose an index by: it keeps no statistics, and guesses. PostgreSQL knows how often a
   * value is there, and decides by itself.
   */
  unguessed(column: string): RawBuilder<unknown>;
  /**
   * Whether the condition of a partial index is seen to follow from others. SQLite has to read it as it stands there;
   * PostgreSQL would take it for one more condition, and expect too few rows.
   */
  readonly infersConditions: boolean;
  /** Begins a transaction that reads all the time what was there at its beginning, and keeps nobody from writing. */
  readonly beginSnapshot: string;
  /** The rows of a JSON array of objects as a table `c`, by the types of the columns of that table. */
  rowsOf(table: string, columns: readonly string[], json: string): RawBuilder<unknown>;
  /** Where the ids of a table were given and not counted up: goes on after the last one. */
  resumeIds(db: Kysely<never>, table: string): Promise<void>;
  /** Writes a consistent copy while others go on reading and writing. */
  backup(file: string): Promise<void>;
}
