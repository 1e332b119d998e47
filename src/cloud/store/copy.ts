import { type Kysely, type RawBuilder, sql } from 'kysely';
import { listOf } from './batch.ts';
import type { Engine } from './dialects/index.ts';
import { StoreError } from './error.ts';
import type { Database } from './schema.ts';

/** By their names in the database. */
interface Table {
  readonly name: string;
  /** In whose order it is read. */
  readonly primaryKey: readonly string[];
  /** The database counts up its `id`. */
  readonly counts?: true;
}

/** Every table, those before others that these refer to. */
const TABLES: Readonly<Record<keyof Database, Table>> = {
  projects: { name: 'projects', primaryKey: ['name'] },
  jobs: { name: 'jobs', primaryKey: ['id'] },
  jobVersions: { name: 'job_versions', primaryKey: ['job_id', 'version'] },
  fires: { name: 'fires', primaryKey: ['job_id', 'due_ms'] },
  nextDue: { name: 'next_due', primaryKey: ['job_id'] },
  hosts: { name: 'hosts', primaryKey: ['id'] },
  joinTokens: { name: 'join_tokens', primaryKey: ['hash'] },
  runs: { name: 'runs', primaryKey: ['key'] },
  attempts: { name: 'attempts', primaryKey: ['run_key', 'attempt'] },
  arrivals: { name: 'arrivals', primaryKey: ['job_id', 'parent'] },
  tokens: { name: 'tokens', primaryKey: ['id'] },
  audit: { name: 'audit', primaryKey: ['id'], counts: true },
  events: { name: 'events', primaryKey: ['id'], counts: true },
  // Epochs go on, or a leader of the former store could pass for one of this.
  leases: { name: 'leases', primaryKey: ['name'] },
  idempotencyKeys: { name: 'idempotency_keys', primaryKey: ['key'] },
  settings: { name: 'settings', primaryKey: ['name'] },
  incidents: { name: 'incidents', primaryKey: ['id'] },
  gatherings: { name: 'gatherings', primaryKey: ['kind', 'cause_group'] },
  deliveries: { name: 'deliveries', primaryKey: ['id'], counts: true },
};

/** A slice has as many rows as have about so much text, and at most so many. */
const SLICE_CHARACTERS = 4_000_000;
const FIRST_SLICE = 100;
const MAX_SLICE = 5_000;

export interface CopiedTable {
  readonly table: string;
  readonly rows: number;
}

/** One of the two stores. `db`: names as they are in the database. */
export interface CopyEnd {
  readonly db: Kysely<never>;
  readonly engine: Engine;
}

type Row = Readonly<Record<string, string | number | null>>;

/**
 * Copies everything from one store into another, empty one, with one transaction there, from what was here at one
 * moment. The schemas are the same. Throws `not_empty`, or `copy_failed` where in the end the numbers differ.
 */
export async function copyStore(
  from: CopyEnd,
  to: CopyEnd,
  told: (table: CopiedTable) => void,
): Promise<CopiedTable[]> {
  return await withSnapshot(from, (source) =>
    to.db.transaction().execute(async (target) => {
      await refuseUnlessEmpty({ ...to, db: target });
      const copied: CopiedTable[] = [];
      for (const table of Object.values(TABLES)) {
        const rows = await copyTable(source, { ...to, db: target }, table);
        await verify(source, target, to.engine.place, { table: table.name, rows });
        copied.push({ table: table.name, rows });
        told({ table: table.name, rows });
      }
      return copied;
    }),
  );
}

/** Of one connection, because a transaction is. */
async function withSnapshot<T>(
  { db, engine }: CopyEnd,
  read: (source: Kysely<never>) => Promise<T>,
): Promise<T> {
  return await db.connection().execute(async (source) => {
    await sql.raw(engine.beginSnapshot).execute(source);
    try {
      return await read(source);
    } finally {
      await sql`rollback`.execute(source);
    }
  });
}

async function refuseUnlessEmpty({ db, engine }: CopyEnd): Promise<void> {
  for (const { name } of Object.values(TABLES)) {
    const { rows } = await sql`SELECT 1 FROM ${sql.table(name)} LIMIT 1`.execute(db);
    if (rows.length === 0) continue;
    throw new StoreError('not_empty', `${engine.place} is not empty: there are rows in ${name}`, {
      hint: 'copy into a new database, where no server has been started yet',
    });
  }
}

async function copyTable(source: Kysely<never>, to: CopyEnd, table: Table): Promise<number> {
  let copied = 0;
  let size = FIRST_SLICE;
  let last: Row | undefined;
  for (;;) {
    const rows = await sliceAfter(source, table, last, size);
    last = rows.at(-1);
    if (last === undefined) break;
    const json = JSON.stringify(rows);
    const columns = Object.keys(last);
    const values = to.engine.rowsOf(table.name, columns, json);
    await sql`
      INSERT INTO ${sql.table(table.name)} (${listOf(columns)}) SELECT ${listOf(columns, 'c.')} FROM ${values}`.execute(
      to.db,
    );
    copied += rows.length;
    size = sizeAfter(rows.length, json.length);
  }
  if (table.counts) await to.engine.resumeIds(to.db, table.name);
  return copied;
}

async function sliceAfter(
  source: Kysely<never>,
  { name, primaryKey }: Table,
  last: Row | undefined,
  size: number,
): Promise<readonly Row[]> {
  const key = listOf(primaryKey);
  const after: RawBuilder<unknown> =
    last === undefined
      ? sql``
      : sql`WHERE (${key}) > (${sql.join(primaryKey.map((column) => last[column]))})`;
  const { rows } = await sql<Row>`
    SELECT * FROM ${sql.table(name)} ${after} ORDER BY ${key} LIMIT ${size}`.execute(source);
  return rows;
}

/** Grows slowly: the rows to come may be longer. */
function sizeAfter(rows: number, characters: number): number {
  const fitting = Math.floor((rows * SLICE_CHARACTERS) / characters);
  return Math.max(1, Math.min(MAX_SLICE, fitting, rows * 2));
}

async function verify(
  source: Kysely<never>,
  target: Kysely<never>,
  place: string,
  { table, rows }: CopiedTable,
): Promise<void> {
  const [had, has] = [await countOf(source, table), await countOf(target, table)];
  if (had === rows && has === rows) return;
  throw new StoreError(
    'copy_failed',
    `${table} has ${had} rows, ${rows} were read, and ${place} has ${has} of them now`,
    { hint: 'nothing was copied; this is a defect' },
  );
}

async function countOf(db: Kysely<never>, table: string): Promise<number> {
  const { rows } = await sql<{ n: number }>`SELECT count(*) AS n FROM ${sql.table(table)}`.execute(db);
  return Number(rows[0]?.n);
}
