import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { RunFile, RunKey } from '../../wire/index.ts';
import { type Failure, failureOf, isTroubleOfTheFile } from './failure.ts';
import type { EndedBound, Expirable, Op, Reply, Result } from './messages.ts';
import type { RunColumns } from './rows.ts';

export type TurnOutcome =
  | { readonly type: 'committed'; readonly replies: readonly Reply[] }
  | { readonly type: 'failed'; readonly failure: Failure };

/** Writes turns: everything in one transaction, one fsync. Runs in the journal's thread. */
export class Writer {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #sql: ReturnType<typeof prepareAll>;

  constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
    this.#sql = prepareAll(db);
  }

  /**
   * A statement that fails takes back only its own Op. When the transaction itself fails (disk full, I/O error) nothing
   * of the turn is there; SQLite needs no new connection after that: the next turn simply tries again.
   */
  turn(ops: readonly Op[]): TurnOutcome {
    try {
      this.#sql.begin.run();
      const replies = ops.map((op) => this.#one(op));
      this.#sql.commit.run();
      return { type: 'committed', replies };
    } catch (error) {
      this.#rollback();
      return { type: 'failed', failure: failureOf(error, this.#path) };
    }
  }

  #one(op: Op): Reply {
    this.#sql.savepoint.run();
    try {
      const result = this.#apply(op);
      this.#sql.release.run();
      return { ok: true, result };
    } catch (error) {
      // SQLite itself ends the transaction after some of these errors: https://sqlite.org/lang_transaction.html
      if (!this.#db.isTransaction || isTroubleOfTheFile(error)) throw error;
      this.#sql.rollbackTo.run();
      this.#sql.release.run();
      return { ok: false, failure: { ...failureOf(error, this.#path), code: 'internal' } };
    }
  }

  #rollback(): void {
    try {
      if (this.#db.isTransaction) this.#sql.rollback.run();
    } catch {
      // Then SQLite has done it: a transaction that is still open fails the next BEGIN, by name.
    }
  }

  #apply(op: Op): Result {
    switch (op.op) {
      case 'accept':
        return this.#accept(op.run, op.tombstonesSinceMs);
      case 'record':
        return this.#record(op);
      case 'free':
        return this.#free(op);
      case 'settle':
        return this.#sql.settle.run(op.key).changes > 0;
      case 'excess':
        return endedBound(this.#sql.excess.get(op.keep));
      case 'expirable':
        return this.#expirable(op.upTo, op.limit);
      case 'forget':
        return op.seqs.reduce((sum, seq) => sum + Number(this.#sql.forget.run(seq).changes), 0);
      case 'expireTombstones':
        return Number(this.#sql.expireTombstones.run(op.beforeMs, op.limit).changes);
      case 'session':
        return Number(this.#sql.session.get({ floor: op.atLeast })?.value);
    }
  }

  #accept(run: RunColumns, tombstonesSinceMs: number): 'accepted' | 'known' | 'freed' {
    const { key, pool, file, job, log, origin, queuedMs, spec, stdin } = run;
    const { state, endedMs, phase, result } = run.phase;
    const inserted = this.#sql.accept.run(
      key,
      pool,
      file,
      job,
      log,
      origin,
      queuedMs,
      spec,
      state,
      endedMs,
      phase,
      result,
      key,
      tombstonesSinceMs,
    );
    if (inserted.changes === 0) return this.#sql.known.get(key) === undefined ? 'freed' : 'known';
    if (stdin !== null) this.#sql.putStdin.run(inserted.lastInsertRowid, stdin);
    return 'accepted';
  }

  #record({ key, to }: Op & { op: 'record' }): 'recorded' | 'superseded' | 'unknown' {
    const written = this.#sql.record.get({ ...to, key });
    if (written === undefined) return this.#sql.known.get(key) === undefined ? 'unknown' : 'superseded';
    if (to.state === 'ended') this.#sql.dropStdin.run(written.seq ?? null);
    return 'recorded';
  }

  #free({ key, tombstoneMs }: Op & { op: 'free' }): boolean {
    if (this.#sql.free.run(key).changes === 0) return false;
    if (tombstoneMs !== null) this.#sql.bury.run(key, tombstoneMs);
    return true;
  }

  #expirable(upTo: EndedBound, limit: number): Expirable[] {
    const rows = this.#sql.expirable.all(upTo.endedMs, upTo.seq, limit);
    const going = new Set(rows.map((row) => Number(row.seq)));
    return rows.map((row) => {
      const pool = String(row.pool);
      const file = String(row.file) as RunFile;
      const log = typeof row.log === 'string' ? row.log : `${file}.log`;
      const used = this.#logInUse(pool, log, going);
      return { seq: Number(row.seq), key: String(row.key) as RunKey, pool, file, log: used ? null : log };
    });
  }

  /** By a run that stays and chose it, or whose default it is: only plain keys, which name their files themselves, clash. */
  #logInUse(pool: string, log: string, going: ReadonlySet<number>): boolean {
    // Newest first: it hardly ever looks at more than one of the thousands that may share a log.
    for (const row of this.#sql.logChosen.iterate(pool, log)) {
      if (!going.has(Number(row.seq))) return true;
    }
    if (!log.endsWith('.log')) return false;
    const owner = this.#sql.known.get(log.slice(0, -'.log'.length));
    return owner !== undefined && !going.has(Number(owner.seq));
  }
}

function endedBound(row: ReturnType<StatementSync['get']>): EndedBound | null {
  return row === undefined ? null : { endedMs: Number(row.ended_ms), seq: Number(row.seq) };
}

/**
 * Of the cloud's runs each is kept until the cloud has its outcome; then it is like any other. Both sides are read from indexes alone: `AND origin IS NULL` would
 * look up the row of each of a million.
 */
const NOT_THE_CLOUDS = "seq NOT IN (SELECT seq FROM run INDEXED BY run_origin WHERE origin = 'cloud')";

function prepareAll(db: DatabaseSync) {
  return {
    begin: db.prepare('BEGIN IMMEDIATE'),
    commit: db.prepare('COMMIT'),
    rollback: db.prepare('ROLLBACK'),
    savepoint: db.prepare('SAVEPOINT one'),
    release: db.prepare('RELEASE one'),
    rollbackTo: db.prepare('ROLLBACK TO one'),
    accept: db.prepare(
      `INSERT INTO run (key, pool, file, job, log, origin, queued_ms, spec, state, ended_ms, phase, result)
       SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
       WHERE NOT EXISTS (SELECT 1 FROM tombstone WHERE key = ? AND freed_ms > ?)
       ON CONFLICT (key) DO NOTHING`,
    ),
    known: db.prepare('SELECT seq FROM run WHERE key = ?'),
    putStdin: db.prepare('INSERT OR REPLACE INTO stdin (seq, json) VALUES (?, ?)'),
    dropStdin: db.prepare('DELETE FROM stdin WHERE seq = ?'),
    // What `change` in runs/run.ts allows: nothing follows `ended`; after `running` comes only `ended`.
    record: db.prepare(
      `UPDATE run SET state = :state, ended_ms = :endedMs, phase = :phase, result = :result
       WHERE key = :key AND state <> 'ended' AND (state <> 'running' OR :state IN ('running', 'ended'))
       RETURNING seq`,
    ),
    free: db.prepare("DELETE FROM run WHERE key = ? AND state = 'ended'"),
    settle: db.prepare(
      "UPDATE run SET origin = 'settled' WHERE key = ? AND state = 'ended' AND origin = 'cloud'",
    ),
    bury: db.prepare('INSERT OR REPLACE INTO tombstone (key, freed_ms) VALUES (?, ?)'),
    excess: db.prepare(
      `SELECT ended_ms, seq FROM run INDEXED BY run_ended WHERE state = 'ended' AND ${NOT_THE_CLOUDS}
       ORDER BY ended_ms DESC, seq DESC LIMIT 1 OFFSET ?`,
    ),
    expirable: db.prepare(
      `SELECT seq, key, pool, file, log FROM run INDEXED BY run_ended
       WHERE state = 'ended' AND (ended_ms, seq) <= (?, ?) AND ${NOT_THE_CLOUDS} ORDER BY ended_ms, seq LIMIT ?`,
    ),
    forget: db.prepare("DELETE FROM run WHERE seq = ? AND state = 'ended'"),
    logChosen: db.prepare(
      'SELECT seq FROM run INDEXED BY run_log WHERE pool = ? AND log = ? ORDER BY seq DESC',
    ),
    expireTombstones: db.prepare(
      `DELETE FROM tombstone WHERE key IN (
         SELECT key FROM tombstone INDEXED BY tombstone_age WHERE freed_ms <= ? ORDER BY freed_ms LIMIT ?)`,
    ),
    session: db.prepare(
      `INSERT INTO counter (name, value) VALUES ('session', :floor)
       ON CONFLICT (name) DO UPDATE SET value = max(value + 1, :floor) RETURNING value`,
    ),
  };
}
