import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { SqliteDatabase, SqliteStatement } from 'kysely';

/** Texts differ by the number of values in lists, so there may be many. */
const MAX_STATEMENTS = 500;

/** node:sqlite as Kysely's SqliteDialect wants it, with the statements kept that were prepared last. */
export class CachingDatabase implements SqliteDatabase {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, SqliteStatement>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  prepare(text: string): SqliteStatement {
    const kept = this.#statements.get(text);
    // To the end of the map's order: the first one is the one not used for longest.
    if (kept !== undefined) this.#statements.delete(text);
    const statement = kept ?? new Statement(this.#database.prepare(locking(text)));
    this.#statements.set(text, statement);
    if (this.#statements.size > MAX_STATEMENTS) this.#forgetOldest();
    return statement;
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  #forgetOldest(): void {
    for (const text of this.#statements.keys()) {
      this.#statements.delete(text);
      return;
    }
  }
}

/**
 * A transaction that begins by reading gets no lock later if another process has written meanwhile (SQLITE_BUSY at
 * once, whatever the timeout), so it takes the lock at the beginning: https://sqlite.org/lang_transaction.html
 */
function locking(text: string): string {
  return text === 'begin' ? 'begin immediate' : text;
}

class Statement implements SqliteStatement {
  readonly #statement: StatementSync;
  /** Whether it returns rows. */
  readonly reader: boolean;

  constructor(statement: StatementSync) {
    this.#statement = statement;
    this.reader = statement.columns().length > 0;
  }

  all(parameters: readonly unknown[]): unknown[] {
    return this.#statement.all(...bindable(parameters));
  }

  run(parameters: readonly unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint } {
    return this.#statement.run(...bindable(parameters));
  }

  iterate(parameters: readonly unknown[]): IterableIterator<unknown> {
    return this.#statement.iterate(...bindable(parameters));
  }
}

/** node:sqlite itself refuses what it can't bind, and names the position. */
function bindable(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters as SQLInputValue[];
}
