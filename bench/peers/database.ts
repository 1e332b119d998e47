import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';

const POLL_MS = 2;

/** Where peers get an empty database from: the address of one. */
export interface Databases {
  newDatabase(): Promise<string>;
}

/** A connection that looks into a database. */
export class Database implements AsyncDisposable {
  readonly url: string;
  readonly #client: pg.Client;

  static async open(url: string): Promise<Database> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    return new Database(url, client);
  }

  private constructor(url: string, client: pg.Client) {
    this.url = url;
    this.#client = client;
  }

  async execute(sql: string): Promise<void> {
    await this.#client.query(sql);
  }

  /** The one value that a query returns. */
  async value(sql: string): Promise<string> {
    const { rows } = await this.#client.query<[string]>({ text: sql, rowMode: 'array' });
    return rows[0]?.[0] ?? '';
  }

  /** Resolves when a query returns this number. */
  async until(sql: string, value: number): Promise<void> {
    while (Number(await this.value(sql)) !== value) await wait(POLL_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end();
  }
}
