import { createHash } from 'node:crypto';
import type { PostgresPool, PostgresPoolClient } from 'kysely';
import type pg from 'pg';

/** What a statement begins with that is planned once for each connection: planning takes longer than doing it. */
export const PREPARED = '/* prepared */ ';

/**
 * The pool as Kysely wants it, which names no statements: pg prepares those that have a name
 * (https://node-postgres.com/features/queries#prepared-statements). There are as many as the code has texts.
 */
export function preparing(pool: pg.Pool): PostgresPool {
  const names = new Map<string, string>();
  const nameOf = (text: string): string => {
    const name = names.get(text) ?? createHash('sha256').update(text).digest('hex').slice(0, 32);
    names.set(text, name);
    return name;
  };
  const clients = new WeakMap<pg.PoolClient, PostgresPoolClient>();
  return {
    connect: async () => {
      const client = await pool.connect();
      const known = clients.get(client) ?? named(client, nameOf);
      clients.set(client, known);
      return known;
    },
    end: () => pool.end(),
    options: pool.options,
  };
}

function named(client: pg.PoolClient, nameOf: (text: string) => string): PostgresPoolClient {
  const query = (text: unknown, values: unknown[]): unknown => {
    if (typeof text !== 'string' || !text.startsWith(PREPARED)) return client.query(text as string, values);
    return client.query({ name: nameOf(text), text, values });
  };
  return { query: query as PostgresPoolClient['query'], release: () => client.release() };
}
