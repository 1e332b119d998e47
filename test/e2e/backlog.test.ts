// The backlog of a job that stands in a database: looked at in a real PostgreSQL.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { type BacklogRules, backlogReader } from '../../src/cloud/instances/index.ts';
import { Postgres } from '../../src/cloud/store/fixtures/postgres.ts';

const SECRET = 's3cr3t-w0rd';

type Source = Parameters<ReturnType<typeof backlogReader>>[0];

/** The number, or why there is none. */
async function said(from: Source, rules: Partial<BacklogRules> = {}): Promise<number | string> {
  const reader = backlogReader({ allowsCommands: false, env: {}, ...rules });
  const reading = await reader(from, AbortSignal.timeout(60_000));
  return reading.ok ? reading.backlog : reading.error;
}

describe('a query to PostgreSQL', () => {
  let postgres: Postgres;
  let url: string;
  before(async () => {
    postgres = await Postgres.start();
    url = await postgres.newDatabase();
    await execute('CREATE TABLE orders (id integer); INSERT INTO orders SELECT generate_series(1, 250)');
  });
  after(() => postgres[Symbol.asyncDispose]());

  async function execute(sql: string): Promise<pg.QueryResult> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const result = await client.query(sql);
    await client.end();
    return result;
  }

  function query(sql: string, rules: Partial<BacklogRules> = {}): Promise<number | string> {
    const env = { ROCKSY_BACKLOG_SHOP: url };
    return said({ postgres: { url_env: 'ROCKSY_BACKLOG_SHOP', query: sql } }, { env, ...rules });
  }

  test('answers with the first column of its first row', async () => {
    assert.equal(await query('SELECT count(*) FROM orders;'), 250);
    assert.equal(await query('SELECT 7, id FROM orders -- and so on'), 7);
    assert.equal(await query('SELECT 1.5::numeric'), 1.5);
    assert.equal(await query("SELECT '{}'::json"), 'the query answers no number');
    assert.equal(await query('SELECT id FROM orders WHERE false'), 'the query answers no number');
    assert.equal(await query('SELECT NULL'), 'the query answers no number');
  });

  test('changes nothing, whatever it is', async () => {
    const attempts = [
      'DELETE FROM orders',
      'SELECT 1; COMMIT; DELETE FROM orders',
      'SELECT 1; DELETE FROM orders',
      'WITH gone AS (DELETE FROM orders RETURNING id) SELECT count(*) FROM gone',
      "SELECT 1 FROM (SELECT set_config('transaction_read_only', 'off', false)) AS x",
      "SELECT nextval('numbers')",
    ];
    await execute('CREATE SEQUENCE numbers');
    for (const attempt of attempts) assert.equal(typeof (await query(attempt)), 'string', attempt);
    assert.equal((await execute('SELECT count(*)::integer AS n FROM orders')).rows[0].n, 250);
    assert.equal((await execute('SELECT is_called FROM numbers')).rows[0].is_called, false);
  });

  test('that fails says why, but for what may be data', async () => {
    assert.equal(
      await query('SELECT count(*) FROM nowhere'),
      'the database says: relation "nowhere" does not exist',
    );
    assert.equal(await query(`SELECT '${SECRET}'::text::integer`), 'the query fails with SQLSTATE 22P02');
  });

  test('that takes too long is broken off by the server', async () => {
    assert.equal(
      await query('SELECT pg_sleep(60)', { timeoutMs: 100 }),
      'the database says: canceling statement due to statement timeout',
    );
    const { rows } = await execute(
      "SELECT count(*)::integer AS n FROM pg_stat_activity WHERE application_name = 'rocksy backlog'",
    );
    assert.equal(rows[0].n, 0, 'and no connection is left');
  });

  test('to a server that says nothing, or is not there, ends as well, and no password is told', async () => {
    const sockets: Socket[] = [];
    const silent = createTcpServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    for (const at of [port, 1]) {
      const env = { ROCKSY_BACKLOG_SHOP: `postgres://u:${SECRET}@127.0.0.1:${at}/db` };
      const error = String(await query('SELECT 1', { env, timeoutMs: 100 }));
      assert.match(error, /can not be reached/);
      assert.doesNotMatch(error, new RegExp(SECRET));
    }
    for (const socket of sockets) socket.destroy();
    silent.close();
    const env = { ROCKSY_BACKLOG_SHOP: `postgres://${SECRET}@[` };
    assert.doesNotMatch(String(await query('SELECT 1', { env })), new RegExp(SECRET));
  });

  test('by a variable that is not there, or not meant for it, is refused', async () => {
    const from = (url_env: string): Source => ({ postgres: { url_env, query: 'SELECT 1' } });
    assert.match(String(await said(from('ROCKSY_BACKLOG_NONE'))), /has no environment variable/);
    assert.match(
      String(await said(from('ROCKSY_STORE'), { env: { ROCKSY_STORE: url } })),
      /has to begin with/,
    );
  });
});
