import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { type Kysely, SqliteAdapter, SqliteDialect, sql } from 'kysely';
import { StoreError } from '../error.ts';
import type { Engine } from './engine.ts';
import { CachingDatabase } from './sqlite-database.ts';

const BUSY_TIMEOUT_MS = 10_000;
/** All pages in one step, in a thread of libuv: one read snapshot, so that no writer makes it begin again. */
const ALL_PAGES = 0x7fffffff;

/** `create`: a file that is not there is made. */
export function sqliteEngine(file: string, { create }: { readonly create: boolean }): Engine {
  const database = open(file, create);
  const prepared = new CachingDatabase(database);
  return {
    kind: 'sqlite',
    place: file,
    dialect: new EmbeddedDialect({ database: prepared }),
    wording: { generatedId: 'integer PRIMARY KEY AUTOINCREMENT', roomy: '' },
    locksRows: false,
    isRetryable: () => false,
    nowMs: async () => Date.now(),
    // A transaction that writes is alone.
    withEventsLocked: (rows) => rows,
    executeEach: (text, parameters) => {
      const statement = prepared.prepare(text);
      return parameters.flatMap((each) => statement.all(each));
    },
    tableNames,
    // https://sqlite.org/optoverview.html#disqualifying_where_clause_terms_using_unary_
    unguessed: (column) => sql.raw(`+${column}`),
    infersConditions: false,
    beginSnapshot: 'begin deferred',
    rowsOf: (_table, columns, json) => {
      const values = sql.raw(columns.map((name) => `value ->> '${name}' AS ${name}`).join(', '));
      return sql`(SELECT ${values} FROM json_each(${json})) AS c`;
    },
    // It has seen them.
    resumeIds: async () => undefined,
    backup: (target) => backUp(file, target),
  };
}

function open(file: string, create: boolean): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    // SQLite would create it by the umask; its -wal and -shm have the mode of the file.
    closeSync(openSync(file, create ? 'a' : 'r+', 0o600));
    database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY');
    return database;
  } catch (cause) {
    database?.close();
    const reason = cause instanceof Error ? cause.message : String(cause);
    const hint = create
      ? 'its folder must exist and be writable, and the file must be a SQLite database'
      : 'look whether the path is right and readable; a new store is set up by `rocksy store migrate`';
    throw new StoreError('unreachable', `The store ${file} can't be opened: ${reason}`, { hint, cause });
  }
}

/** Kysely counts SQLite among those that can't roll back a change of the schema; it can (https://sqlite.org/lang_transaction.html). */
class EmbeddedDialect extends SqliteDialect {
  override createAdapter(): SqliteAdapter {
    return new TransactionalDdl();
  }
}

class TransactionalDdl extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

async function tableNames(db: Kysely<never>): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`SELECT name FROM sqlite_schema WHERE type = 'table'`.execute(
    db,
  );
  return rows.map(({ name }) => name);
}

/** By a connection of its own: SQLite makes no backup from one that is in the middle of a transaction. */
async function backUp(file: string, target: string): Promise<void> {
  if (isSameFile(file, target))
    throw new StoreError('not_supported', `${target} is the store itself`, { hint: 'name another file' });
  const part = `${target}.part`;
  const source = new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  try {
    rmSync(part, { force: true });
    closeSync(openSync(part, 'wx', 0o600));
    await backup(source, part, { rate: ALL_PAGES });
    toDisk(part);
    renameSync(part, target);
    toDisk(dirname(target));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const hint = 'its folder must exist, be writable and have room for a copy of the store';
    throw new StoreError('backup_failed', `The backup ${target} can't be written: ${reason}`, {
      hint,
      cause,
    });
  } finally {
    source.close();
    rmSync(part, { force: true });
  }
}

function isSameFile(one: string, other: string): boolean {
  const a = statSync(one, { throwIfNoEntry: false });
  const b = statSync(other, { throwIfNoEntry: false });
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

/** Or a loss of power after the rename could leave an empty file under the name of the backup before. */
function toDisk(path: string): void {
  const fd = openSync(path, 'r');
  fsyncSync(fd);
  closeSync(fd);
}
