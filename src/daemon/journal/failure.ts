import type { ErrorCode } from '../../wire/index.ts';
import { ForeignSchema } from './schema.ts';

/** Why something could not be written or read, as plain data that crosses threads. It becomes a RocksyError. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
}

// Primary result codes, the low byte of `errcode`: https://sqlite.org/rescode.html
const BUSY = 5;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;
/** Trouble of the file or the machine and not of one statement: whatever shares the transaction shares the failure. */
const OF_THE_FILE: ReadonlySet<number> = new Set([
  BUSY,
  7 /* NOMEM */,
  READONLY,
  IOERR,
  CORRUPT,
  FULL,
  CANTOPEN,
  NOTADB,
]);

export function isTroubleOfTheFile(error: unknown): boolean {
  return OF_THE_FILE.has(sqliteCode(error) & 0xff);
}

/** What went wrong with the file at `path`, in words that name it, the reason and the remedy. */
export function failureOf(error: unknown, path: string): Failure {
  const reason = error instanceof Error ? error.message : String(error);
  if (error instanceof ForeignSchema) {
    return { code: 'state_unwritable', message: `${path} can't be used: ${reason}`, hint: error.hint };
  }
  const code = sqliteCode(error);
  const message = code === 0 ? `${path}: ${reason}` : `${path}: ${reason} (SQLite error ${code})`;
  if (isOutOfSpace(error)) {
    return { code: 'low_disk', message, hint: 'free some space on its file system; nothing needs a restart' };
  }
  const hint = HINTS.get(code & 0xff);
  return { code: 'state_unwritable', message, ...(hint === undefined ? {} : { hint }) };
}

const CHECK_DISK =
  'look for faults of its file system or disk (dmesg, mount); writing is tried again with every request';
const DAMAGED =
  'the file is damaged: stop rocksyd, move journal.db, journal.db-wal and journal.db-shm away together (keep them), ' +
  'and start it again with an empty journal, or put back a backup';
const HINTS: ReadonlyMap<number, string> = new Map([
  [BUSY, 'another process holds a lock on it: a second rocksyd, a backup or an open sqlite3 shell'],
  [READONLY, CHECK_DISK],
  [IOERR, CHECK_DISK],
  [CANTOPEN, 'the folder must exist and be writable by the user of rocksyd'],
  [CORRUPT, DAMAGED],
  [NOTADB, DAMAGED],
]);

function isOutOfSpace(error: unknown): boolean {
  if ((sqliteCode(error) & 0xff) === FULL) return true;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** SQLite's extended result code, or 0 for an error of any other kind. */
function sqliteCode(error: unknown): number {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode
    : 0;
}
