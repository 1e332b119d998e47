import { type RawBuilder, sql } from 'kysely';
import type { Access } from './access.ts';
import { checkFence, type Fence, leaseLost, leaseOf } from './leases.ts';

/** One statement of several, and the column that it returns; null: it returns nothing. */
export interface Part {
  readonly statement: RawBuilder<unknown>;
  readonly returns: 'key' | 'id' | null;
}

const LEASE_LOST = 'lease_lost';

/**
 * Executes statements of which none needs what another one has written, all or none, and within a fence. Returns what
 * they return, by their names. PostgreSQL does it as one statement: a transaction of seven costs eight round trips, and
 * the time of three.
 */
export async function together<Name extends string>(
  access: Access,
  fence: Fence | null,
  parts: Readonly<Record<Name, Part | null>>,
): Promise<Readonly<Record<Name, readonly unknown[]>>> {
  const named = Object.entries<Part | null>(parts).flatMap(([name, part]) =>
    part === null ? [] : [[name, part] as const],
  );
  const done = access.engine.kind === 'postgres' ? atOnce : inTurn;
  const none = Object.fromEntries(Object.keys(parts).map((name) => [name, []]));
  return { ...none, ...(await done(access, fence, named)) } as Record<Name, readonly unknown[]>;
}

type Named = readonly (readonly [string, Part])[];
type Results = Readonly<Record<string, readonly unknown[]>>;

async function inTurn(access: Access, fence: Fence | null, parts: Named): Promise<Results> {
  return await access.atomically(async (within) => {
    if (fence !== null) await checkFence(within, fence);
    const results: Record<string, readonly unknown[]> = {};
    for (const [name, { statement, returns }] of parts) {
      const { rows } = await statement.execute(within.db);
      if (returns !== null) results[name] = (rows as Record<string, unknown>[]).map((row) => row[returns]);
    }
    return results;
  });
}

async function atOnce(access: Access, fence: Fence | null, parts: Named): Promise<Results> {
  const tables = parts.map(([name, { statement }]) => sql`${sql.ref(name)} AS (${statement})`);
  const columns = parts.flatMap(([name, { returns }]) =>
    returns === null
      ? []
      : sql`(SELECT coalesce(json_agg(${sql.ref(returns)}), '[]') FROM ${sql.ref(name)}) AS ${sql.ref(name)}`,
  );
  if (fence !== null) {
    tables.push(sql`lease AS MATERIALIZED (${leaseOf(access, fence)})`);
    // A statement that fails has done nothing, and this is a way to make it fail.
    columns.push(sql`coalesce((SELECT '1' FROM lease), ${sql.lit(LEASE_LOST)})::integer AS led`);
  }
  if (tables.length === 0) return {};
  const statement = sql<Results>`WITH ${sql.join(tables)} SELECT ${columns.length === 0 ? sql`1` : sql.join(columns)}`;
  try {
    const { rows } = await access.retried(() => statement.execute(access.db));
    return rows[0] ?? {};
  } catch (error) {
    if (fence !== null && error instanceof Error && error.message.includes(`"${LEASE_LOST}"`))
      throw leaseLost(fence);
    throw error;
  }
}
