import { Socket } from 'node:net';
import pg from 'pg';
import { masked, secretsOf } from './masked.ts';
import { failed, type Limits, type Reading, readingOf } from './reading.ts';

/** After the server had the time to break the query off itself. */
const GRACE_MS = 2_000;

/**
 * SQLSTATE classes whose messages speak of the connection or of names: PostgreSQL's manual, appendix A. Others quote
 * values (22P02: invalid input syntax for type integer: "…"), and those are nobody's business here.
 */
const SPEAKS_OF_NO_DATA = /^(?:08|25|28|3D|3F|42|53|57|58)/;

/** Asks a database for the number: the first column of the first row, over a connection of its own. */
export async function readPostgres(
  url: string,
  query: string,
  { timeoutMs, signal }: Limits,
): Promise<Reading> {
  const socket = new Socket();
  const late = AbortSignal.timeout(timeoutMs + GRACE_MS);
  const over = AbortSignal.any([signal, late]);
  const stop = () => socket.destroy();
  try {
    const client = new pg.Client({
      connectionString: url,
      stream: () => socket,
      connectionTimeoutMillis: timeoutMs,
      fallback_application_name: 'rocksy backlog',
    });
    // A connection that breaks down is told by the query as well.
    client.on('error', () => {});
    over.addEventListener('abort', stop);
    over.throwIfAborted();
    await client.connect();
    const value = await firstValue(client, query, timeoutMs);
    await client.end();
    return readingOf(value, 'the query answers');
  } catch (error) {
    if (late.aborted) return failed(`the database had not answered after ${timeoutMs / 1_000} s`);
    return failed(reasonOf(error, secretsOf(url)));
  } finally {
    over.removeEventListener('abort', stop);
    socket.destroy();
  }
}

/**
 * A cursor: of a query that turns out to have a million rows only one comes here, and what is not a query is no cursor.
 * The extended protocol takes one statement at a time, so that none can end the transaction that only reads.
 */
async function firstValue(client: pg.Client, query: string, timeoutMs: number): Promise<unknown> {
  // Not among the parameters of the connection: PgBouncer refuses them.
  await client.query(`BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = ${timeoutMs}`);
  const declaration: pg.QueryConfig & { readonly queryMode: 'extended' } = {
    text: `DECLARE backlog NO SCROLL CURSOR FOR ${query}`,
    queryMode: 'extended',
  };
  await client.query(declaration);
  const { rows } = await client.query<unknown[]>({ text: 'FETCH 1 FROM backlog', rowMode: 'array' });
  await client.query('ROLLBACK');
  return rows[0]?.[0];
}

function reasonOf(error: unknown, secrets: readonly string[]): string {
  if (!(error instanceof Error)) return 'the database can not be reached';
  if (!(error instanceof pg.DatabaseError)) {
    // Several addresses were tried in vain: the message of an AggregateError is empty.
    const { message } = error instanceof AggregateError ? (error.errors[0] ?? error) : error;
    return masked(`the database can not be reached: ${message}`, secrets);
  }
  const { code = '', message } = error;
  return masked(
    SPEAKS_OF_NO_DATA.test(code) ? `the database says: ${message}` : `the query fails with SQLSTATE ${code}`,
    secrets,
  );
}
