import { DatabaseSync, type StatementSync } from 'node:sqlite';

interface Options {
  readonly readonly: boolean;
  readonly timeout: number;
}

/** A statement that says, as those of better-sqlite3 do, whether it gives rows. */
type Statement = StatementSync & { readonly reader: boolean };

/**
 * Node's own SQLite, with what TypeORM's driver for better-sqlite3 uses of that: nothing has to be compiled.
 *
 * Opened with the first statement. TypeORM connects in the bootstrap, where it makes sense of the entities, and a handle
 * must not cross a fork: so each run has its own, and one that needs no database opens none.
 */
export class Sqlite {
  readonly #database: DatabaseSync;
  /** What TypeORM sets when it connects. */
  readonly #settings: string[] = [];

  constructor(file: string, { readonly, timeout }: Options) {
    this.#database = new DatabaseSync(file, { open: false, readOnly: readonly, timeout });
  }

  prepare(sql: string): Statement {
    const statement = this.#opened().prepare(sql);
    return Object.assign(statement, { reader: statement.columns().length > 0 });
  }

  pragma(text: string): unknown[] {
    if (this.#database.isOpen || !text.includes('=')) return this.#opened().prepare(`PRAGMA ${text}`).all();
    this.#settings.push(text);
    return [];
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #opened(): DatabaseSync {
    if (!this.#database.isOpen) {
      this.#database.open();
      for (const setting of this.#settings) this.#database.exec(`PRAGMA ${setting}`);
    }
    return this.#database;
  }
}
