import { type RawBuilder, sql } from 'kysely';
import type { Access } from './access.ts';
import { type Columns, type RowOf, rowsOf } from './batch.ts';
import { type Engine, PREPARED } from './dialects/index.ts';
import { checkFence, type Fence, leaseLost, leaseOf } from './leases.ts';

/** A statement that is done for each of some rows. */
export interface Part<Name extends string = string> {
  readonly columns: Columns<Name>;
  readonly rows: readonly RowOf<Name>[];
  /** `c`: the rows, as a table of that name. It must not matter whether it has all of them or one at a time. */
  readonly statement: (c: RawBuilder<unknown>) => RawBuilder<unknown>;
  /** Of what is written, in SQL; null: nothing. */
  readonly returns: string | null;
}

const LEASE_LOST = 'lease_lost';

/**
 * Does statements of which none needs what another one has written, all or none, and within a fence. Returns what they
 * return, by their names.
 *
 * In PostgreSQL it is one statement: a transaction of seven costs eight round trips, and the time of three. SQLite is in
 * this process and has no round trips; there it is a statement for each row, which costs half of what it takes to have
 * rows parsed out of a text.
 */
export async function together<Name extends string>(
  access: Access,
  fence: Fence | null,
  parts: Readonly<Record<Name, Part | null>>,
): Promise<Readonly<Record<Name, readonly unknown[]>>> {
  const named = Object.entries<Part | null>(parts).flatMap(([name, part]) =>
    part === null || part.rows.length === 0 ? [] : [[name, part] as const],
  );
  const { executeEach } = access.engine;
  const done =
    executeEach === null ? atOnce(access, fence, named) : inTurn(access, fence, named, executeEach);
  const none = Object.fromEntries(Object.keys(parts).map((name) => [name, []]));
  return { ...none, ...(await done) } as Record<Name, readonly unknown[]>;
}

type Named = readonly (readonly [string, Part])[];
type Results = Readonly<Record<string, readonly unknown[]>>;

async function inTurn(
  access: Access,
  fence: Fence | null,
  parts: Named,
  executeEach: NonNullable<Engine['executeEach']>,
): Promise<Results> {
  return await access.atomically(async (within) => {
    if (fence !== null) await checkFence(within, fence);
    const results: Record<string, readonly unknown[]> = {};
    for (const [name, part] of parts) {
      const columns = Object.keys(part.columns);
      const c = sql.join(columns.map((column) => sql`${null} AS ${sql.raw(column)}`));
      const { sql: text } = complete(part, sql`(SELECT ${c}) AS c`).compile(within.db);
      const returned = executeEach(
        text,
        part.rows.map((row) => columns.map((column) => row[column])),
      );
      if (part.returns !== null)
        results[name] = (returned as { returned: unknown }[]).map((row) => row.returned);
    }
    return results;
  });
}

async function atOnce(access: Access, fence: Fence | null, parts: Named): Promise<Results> {
  const tables = parts.map(
    ([name, part]) => sql`${sql.ref(name)} AS (${complete(part, rowsOf(access, part.columns, part.rows))})`,
  );
  const columns = parts.flatMap(([name, { returns }]) =>
    returns === null
      ? []
      : sql`(SELECT coalesce(json_agg(returned), '[]') FROM ${sql.ref(name)}) AS ${sql.ref(name)}`,
  );
  if (fence !== null) {
    tables.push(sql`lease AS MATERIALIZED (${leaseOf(access, fence)})`);
    // A statement that fails has done nothing, and this is a way to make it fail.
    columns.push(sql`coalesce((SELECT '1' FROM lease), ${sql.lit(LEASE_LOST)})::integer AS led`);
  }
  if (tables.length === 0) return {};
  const statement = sql<Results>`${sql.raw(PREPARED)}WITH ${sql.join(tables)} SELECT ${columns.length === 0 ? sql`1` : sql.join(columns)}`;
  try {
    const { rows } = await access.retried(() => statement.execute(access.db));
    return rows[0] ?? {};
  } catch (error) {
    if (fence !== null && isOfLease(error)) throw leaseLost(fence);
    throw error;
  }
}

/** invalid_text_representation; the message around the word is in the server's language. */
function isOfLease(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && error.code === '22P02' && error.message.includes(LEASE_LOST)
  );
}

function complete({ statement, returns }: Part, c: RawBuilder<unknown>): RawBuilder<unknown> {
  return returns === null ? statement(c) : sql`${statement(c)} RETURNING ${sql.raw(returns)} AS returned`;
}
