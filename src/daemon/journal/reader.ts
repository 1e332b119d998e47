import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { RocksyError, type RunKey } from '../../wire/index.ts';
import type { Origin, Run } from '../runs/index.ts';
import { reading } from './error.ts';
import { type Row, rowChars, runOfRow } from './rows.ts';

export interface ListFilter {
  readonly pool?: string | undefined;
  /** `active`: all that have not ended. */
  readonly state?: Run['phase']['state'] | 'active' | undefined;
  /** Only runs that this one has asked for. */
  readonly origin?: Exclude<Origin, 'local'> | undefined;
  readonly limit: number;
  /** The `next` of the page before. */
  readonly before?: string | undefined;
}

export interface RunPage {
  /** Newest first, without their stdin. A page of large runs ends before its limit. */
  readonly runs: readonly Run[];
  /** Cursor of the next page, null after the last. */
  readonly next: string | null;
}

export interface Counts {
  readonly queued: number;
  readonly starting: number;
  readonly running: number;
  readonly ended: number;
  readonly tombstones: number;
}

const COLUMNS = 'seq, key, pool, file, job, origin, queued_ms, spec, phase, result';
const WITH_STDIN = `${COLUMNS}, (SELECT json FROM stdin WHERE stdin.seq = run.seq) AS stdin`;

/** What a page may hold: a thousand runs with parameters of a megabyte each must not fill the daemon's memory. */
const PAGE_CHARS = 4 * 1024 * 1024;

/** The journal's read-only connection. In WAL mode a reader waits for no writer, and sees whatever was committed. */
export class Reader {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #get: StatementSync;
  readonly #lists = new Map<string, StatementSync>();

  constructor(path: string) {
    this.#path = path;
    this.#db = reading(path, () => new DatabaseSync(path, { readOnly: true, timeout: 1000 }));
    this.#get = reading(path, () => this.#db.prepare(`SELECT ${WITH_STDIN} FROM run WHERE key = ?`));
  }

  get(key: RunKey): Run | undefined {
    return reading(this.#path, () => {
      const row = this.#get.get(key);
      return row === undefined ? undefined : runOfRow(row);
    });
  }

  list(filter: ListFilter): RunPage {
    const before = filter.before === undefined ? Number.MAX_SAFE_INTEGER : seqOfCursor(filter.before);
    return reading(this.#path, () => {
      const origin = filter.origin === undefined ? [] : [filter.origin];
      const pool = filter.pool === undefined ? [] : [filter.pool];
      const state = filter.state === undefined || filter.state === 'active' ? [] : [filter.state];
      const rows = this.#list(filter).iterate(before, ...origin, ...pool, ...state, filter.limit + 1);
      return pageOf(rows, filter.limit);
    });
  }

  /** Oldest first: the order in which they wait. */
  unfinished(): Run[] {
    return reading(this.#path, () => {
      const sql = `SELECT ${WITH_STDIN} FROM run INDEXED BY run_active WHERE state <> 'ended' ORDER BY seq`;
      return Array.from(this.#db.prepare(sql).iterate(), runOfRow);
    });
  }

  counts(): Counts {
    return reading(this.#path, () => {
      const count = (sql: string): Row => this.#db.prepare(sql).get() ?? {};
      const active = count(
        `SELECT count(*) FILTER (WHERE state = 'queued') AS queued,
           count(*) FILTER (WHERE state = 'starting') AS starting, count(*) FILTER (WHERE state = 'running') AS running
         FROM run INDEXED BY run_active WHERE state <> 'ended'`,
      );
      return {
        queued: Number(active.queued),
        starting: Number(active.starting),
        running: Number(active.running),
        ended: Number(count("SELECT count(*) AS n FROM run INDEXED BY run_ended WHERE state = 'ended'").n),
        tombstones: Number(count('SELECT count(*) AS n FROM tombstone').n),
      };
    });
  }

  close(): void {
    this.#db.close();
  }

  /** One prepared statement per kind of filter, each on the index that holds just these runs in order. */
  #list(filter: ListFilter): StatementSync {
    const { origin, pool, state } = filter;
    const active = state !== undefined && state !== 'ended';
    const sql = [
      `SELECT ${COLUMNS} FROM run ${indexOf(filter)} WHERE seq < ?`,
      origin === undefined ? '' : 'AND origin = ?',
      pool === undefined ? '' : 'AND pool = ?',
      active ? "AND state <> 'ended'" : '',
      state === undefined || state === 'active' ? '' : 'AND state = ?',
      'ORDER BY seq DESC LIMIT ?',
    ].join(' ');
    const prepared = this.#lists.get(sql) ?? this.#db.prepare(sql);
    this.#lists.set(sql, prepared);
    return prepared;
  }
}

function indexOf({ origin, pool, state }: ListFilter): string {
  if (origin !== undefined) return 'INDEXED BY run_origin';
  if (state !== undefined && state !== 'ended') return 'INDEXED BY run_active';
  return pool === undefined ? 'NOT INDEXED' : 'INDEXED BY run_pool';
}

function pageOf(rows: Iterable<Row>, limit: number): RunPage {
  const runs: Run[] = [];
  let last: number | null = null;
  let chars = 0;
  for (const row of rows) {
    if (runs.length === limit || chars >= PAGE_CHARS) return { runs, next: String(last) };
    runs.push(runOfRow(row));
    last = Number(row.seq);
    chars += rowChars(row);
  }
  return { runs, next: null };
}

function seqOfCursor(cursor: string): number {
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  throw new RocksyError('invalid_request', 'before: is not a cursor', {
    hint: 'use the "next" of the page before',
  });
}
