import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import type { Postgres } from '../../src/cloud/store/fixtures/postgres.ts';

const POLL_MS = 2;

/** A new database of a server, and a connection to look into it; dropped at the end, so that no autovacuum comes later. */
export class Database implements AsyncDisposable {
  readonly url: string;
  readonly #client: pg.Client;

  static async create(postgres: Postgres): Promise<Database> {
    const url = await postgres.newDatabase();
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    // Or the writes of who was measured before would fall to this one's checkpoint.
    await client.query('CHECKPOINT');
    return new Database(url, client);
  }

  private constructor(url: string, client: pg.Client) {
    this.url = url;
    this.#client = client;
  }

  async execute(sql: string): Promise<void> {
    await this.#client.query(sql);
  }

  /** Resolves when a query, which returns one number, returns this one. */
  async until(sql: string, value: number): Promise<void> {
    while (Number(await this.#value(sql)) !== value) await wait(POLL_MS);
  }

  /** A setting of the server. */
  async show(name: string): Promise<string> {
    return await this.#value(`SHOW ${name}`);
  }

  async #value(sql: string): Promise<string> {
    const { rows } = await this.#client.query<[string]>({ text: sql, rowMode: 'array' });
    return rows[0]?.[0] ?? '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { host, user, database } = this.#client;
    await this.#client.end();
    const other = new pg.Client({ host, user, database: 'postgres' });
    await other.connect();
    await other.query(`DROP DATABASE ${database} WITH (FORCE)`);
    await other.end();
  }
}

const TELLING = ['fsync', 'synchronous_commit', 'wal_sync_method', 'full_page_writes', 'shared_buffers'];

/** The settings of a server that decide what its numbers mean. */
export async function describePostgres(postgres: Postgres): Promise<string> {
  await using database = await Database.create(postgres);
  const version = await database.show('server_version');
  const settings: string[] = [];
  for (const name of TELLING) settings.push(`${name} ${await database.show(name)}`);
  return `PostgreSQL ${version.split(' ')[0]}, ${settings.join(', ')}; otherwise as initdb leaves it, by a Unix socket`;
}
