import { DatabaseSync, type StatementSync } from 'node:sqlite';

interface Options {
  readonly readonly: boolean;
  readonly timeout: number;
}

/** A statement that says, as those of better-sqlite3 do, whether it gives rows. */
type Statement = StatementSync & { readonly reader: boolean };

/** Node's own SQLite, with what TypeORM's driver for better-sqlite3 uses of that: nothing has to be compiled. */
export class Sqlite {
  readonly #database: DatabaseSync;

  constructor(file: string, { readonly, timeout }: Options) {
    this.#database = new DatabaseSync(file, { readOnly: readonly, timeout });
  }

  prepare(sql: string): Statement {
    const statement = this.#database.prepare(sql);
    return Object.assign(statement, { reader: statement.columns().length > 0 });
  }

  pragma(text: string): unknown[] {
    return this.#database.prepare(`PRAGMA ${text}`).all();
  }

  close(): void {
    this.#database.close();
  }
}
