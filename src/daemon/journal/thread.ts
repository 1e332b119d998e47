// The journal's thread. Started and joined by turns.ts, which alone speaks to it; the only writer of the database in
// this process. When it ends without having been asked to, nothing can be written any more.
import { chmodSync, closeSync, existsSync, fsyncSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { failureOf } from './failure.ts';
import type { FromThread, ThreadData, ToThread } from './messages.ts';
import { bringUpToDate, checkSchema, ForeignSchema } from './schema.ts';
import { Writer } from './writer.ts';

/** During a takeover predecessor and successor have the file open, and each commit of the other is waited for. */
const BUSY_TIMEOUT_MS = 10_000;
/** What the write-ahead log is cut back to after it has grown beyond (a checkpoint that readers held up). */
const WAL_BYTES = 64 * 1024 * 1024;
const VACUUM_PAGES = 2000;

function openDatabase(path: string): DatabaseSync {
  createPrivate(path);
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    checkSchema(db);
    // Only an empty file takes this; it is what lets the file shrink again.
    db.exec('PRAGMA auto_vacuum = INCREMENTAL');
    const mode = db.prepare('PRAGMA journal_mode = WAL').get()?.journal_mode;
    if (mode !== 'wal') {
      throw new ForeignSchema(
        'its file system has no shared memory maps, which write-ahead logging needs',
        'put the state directory on a local file system',
      );
    }
    // FULL: fsync of the log with every commit. NORMAL would lose acknowledged runs with the power.
    db.exec(`PRAGMA synchronous = FULL; PRAGMA journal_size_limit = ${WAL_BYTES}`);
    bringUpToDate(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** SQLite gives its -wal and -shm the mode of the database, which holds parameters of runs: for nobody else's eyes. */
function createPrivate(path: string): void {
  if (existsSync(path)) {
    chmodSync(path, 0o600);
    return;
  }
  // Only here, before SQLite has it open: closing any descriptor of the file drops the process's fcntl locks on it
  // (https://sqlite.org/howtocorrupt.html, 2.2).
  closeSync(openSync(path, 'a', 0o600));
  const folder = openSync(dirname(path), 'r');
  fsyncSync(folder);
  closeSync(folder);
}

/** Whether something is left to give back. A quarter of the file may stay free for what comes next. */
function shrink(db: DatabaseSync): boolean {
  const free = Number(db.prepare('PRAGMA freelist_count').get()?.freelist_count);
  const pages = Number(db.prepare('PRAGMA page_count').get()?.page_count);
  if (free < VACUUM_PAGES || free * 4 < pages) return false;
  db.exec(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`);
  return true;
}

function run(port: NonNullable<typeof parentPort>, { path, idleMs }: ThreadData): void {
  const say = (message: FromThread): void => port.postMessage(message);
  let db: DatabaseSync;
  let writer: Writer;
  try {
    db = openDatabase(path);
    writer = new Writer(db, path);
  } catch (error) {
    say({ type: 'refused', failure: failureOf(error, path) });
    return;
  }
  // Begun anew by every turn. Only who has written tidies: a successor that still watches keeps its hands off.
  let idle: NodeJS.Timeout | null = null;

  function tidy(): void {
    try {
      if (shrink(db)) idle?.refresh();
      else db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // Nothing is lost by it: SQLite checkpoints by itself every 1,000 pages, and the next idle time tries again.
    }
  }

  port.on('message', (message: ToThread) => {
    if (message.type === 'close') {
      if (idle !== null) clearTimeout(idle);
      db.close();
      port.close();
      return;
    }
    say(writer.turn(message.ops));
    idle = idle?.refresh() ?? setTimeout(tidy, idleMs).unref();
  });
  say({ type: 'open' });
}

if (parentPort === null) throw new Error('thread.ts is the program of the journal thread');
run(parentPort, workerData as ThreadData);
