import type { DatabaseSync } from 'node:sqlite';

/**
 * `PRAGMA user_version` is major * 1000 + minor. A minor step only adds (tables, indexes, columns with a default), so
 * that a takeover back to the former version works: every version of a major reads and writes every other's file.
 * A new major is one that an older Rocksy must not touch.
 */
export const SCHEMA_MAJOR = 1;

/** 'Rcks': tells our file from any other SQLite database. */
const APPLICATION_ID = 0x52636b73;

/** STEPS[n] leads to minor version n. Never change one that has been released; add the next. */
const STEPS: readonly string[] = [
  `
  CREATE TABLE run (
    -- The order of acceptance. AUTOINCREMENT: never used again, so that a page's cursor stays true after deletions.
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    pool TEXT NOT NULL,
    file TEXT NOT NULL,
    job TEXT,
    -- The log's name where the request chose one.
    log TEXT,
    queued_ms INTEGER NOT NULL,
    -- JSON of the StartSpec without stdin.
    spec TEXT NOT NULL,
    state TEXT NOT NULL,
    ended_ms INTEGER,
    -- JSON of the Phase without its result.
    phase TEXT NOT NULL,
    -- {"result":…}, in a column of its own so that it nests no deeper here than where it came from.
    result TEXT
  );
  CREATE INDEX run_pool ON run (pool, seq);
  CREATE INDEX run_active ON run (seq, state, pool) WHERE state <> 'ended';
  CREATE INDEX run_ended ON run (ended_ms, seq) WHERE state = 'ended';
  CREATE INDEX run_log ON run (pool, log) WHERE log IS NOT NULL;

  -- Standard input of runs that have not ended, apart: the row of a run is written again with every phase.
  CREATE TABLE stdin (seq INTEGER PRIMARY KEY, json TEXT NOT NULL);

  -- Keys that were freed and may not run again yet.
  CREATE TABLE tombstone (key TEXT PRIMARY KEY, freed_ms INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX tombstone_age ON tombstone (freed_ms);

  CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  `,
  `
  -- Who has asked for the run: 'cloud', or NULL for somebody on this host.
  ALTER TABLE run ADD COLUMN origin TEXT;
  CREATE INDEX run_origin ON run (origin, seq, state, pool) WHERE origin IS NOT NULL;
  `,
];

export const SCHEMA_VERSION = SCHEMA_MAJOR * 1000 + STEPS.length - 1;

/** The file is a database, but not one that this Rocksy may use. */
export class ForeignSchema extends Error {
  override readonly name = 'ForeignSchema';
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** Refuses what this Rocksy must not touch. Reads only. */
export function checkSchema(db: DatabaseSync): void {
  const version = pragma(db, 'user_version');
  const empty = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.n === 0;
  if (empty && version === 0) return;
  if (pragma(db, 'application_id') !== APPLICATION_ID) {
    throw new ForeignSchema('it is a database, but not a journal of Rocksy', 'move the file away');
  }
  const major = Math.floor(version / 1000);
  if (major > SCHEMA_MAJOR) {
    throw new ForeignSchema(
      `a newer Rocksy wrote it (schema ${major}.${version % 1000}; this one knows ${SCHEMA_MAJOR}.x)`,
      'start that newer version of Rocksy again, or move the file away and begin with an empty journal',
    );
  }
  if (major < SCHEMA_MAJOR)
    throw new ForeignSchema(`schema ${major}.x is no longer known`, 'move the file away');
}

/** Creates the schema, or takes the steps that an older minor version lacks. A newer minor version is left as it is. */
export function bringUpToDate(db: DatabaseSync): void {
  if (pragma(db, 'user_version') >= SCHEMA_VERSION) return;
  db.exec('BEGIN IMMEDIATE');
  try {
    // Asked again under the lock: during a takeover another process may have the file open.
    const version = pragma(db, 'user_version');
    const first = version === 0 ? 0 : (version % 1000) + 1;
    for (const step of STEPS.slice(first)) db.exec(step);
    if (version < SCHEMA_VERSION) db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function pragma(db: DatabaseSync, name: string): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}
