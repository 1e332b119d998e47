// The queues of examples/consumers, with a real PostgreSQL and a real Redis behind them, whose programs come from Debian's
// packages.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { until } from './daemon.ts';

/** Where the example is. */
export const EXAMPLE = path.join(import.meta.dirname, '../../examples/consumers');

export type Env = Readonly<Record<string, string>>;

/** A queue with its consumer. */
export interface Queue extends AsyncDisposable {
  readonly job: string;
  /** Where the queue is: for the consumers, and for the cloud, which counts its messages. */
  readonly env: { readonly consumer: Env; readonly cloud: Env };
  /** `m1`, `m2` and so on, from where the last ones ended. */
  put(count: number): Promise<void>;
  /** Messages that have been put, and are neither handled nor failed. */
  left(): Promise<number>;
  /** The bodies of all messages that were handled, as often as they were. */
  handled(): Promise<string[]>;
  /** The consumers that are connected, each with the message that it is at work on, or null. */
  consumers(): Promise<ReadonlyMap<string, string | null>>;
}

export class PostgresQueue implements Queue {
  readonly job = 'pg-consumer';
  readonly env: Queue['env'];
  readonly #client: pg.Client;
  #put = 0;

  private constructor(url: string, client: pg.Client) {
    this.env = { consumer: { SHOP_DATABASE: url }, cloud: { ROCKSY_BACKLOG_SHOP: url } };
    this.#client = client;
  }

  static async open(url: string): Promise<PostgresQueue> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(fs.readFileSync(path.join(EXAMPLE, 'pg-schema.sql'), 'utf8'));
    return new PostgresQueue(url, client);
  }

  async put(count: number): Promise<void> {
    const insert = "INSERT INTO messages (body) SELECT 'm' || generate_series($1::integer, $2::integer)";
    await this.#client.query(insert, [this.#put + 1, this.#put + count]);
    this.#put += count;
  }

  async putEmpty(): Promise<void> {
    await this.#client.query("INSERT INTO messages (body) VALUES ('')");
  }

  async failed(): Promise<unknown[]> {
    const { rows } = await this.#client.query('SELECT attempts, error FROM messages WHERE error IS NOT NULL');
    return rows;
  }

  async left(): Promise<number> {
    const { rows } = await this.#client.query(
      'SELECT count(*)::integer AS n FROM messages WHERE due_at <= now()',
    );
    return rows[0].n;
  }

  async handled(): Promise<string[]> {
    const { rows } = await this.#client.query('SELECT body FROM handled');
    return rows.map(({ body }) => body);
  }

  /** Who has locked a row stands in it as xmax (PostgreSQL's documentation, "System Columns"). */
  async consumers(): Promise<ReadonlyMap<string, string | null>> {
    const { rows } = await this.#client.query<{ pid: number; body: string | null }>(`
      SELECT pid, body FROM pg_stat_activity LEFT JOIN messages ON messages.xmax = backend_xid
      WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
        AND application_name <> 'rocksy backlog'`);
    return new Map(rows.map(({ pid, body }) => [String(pid), body]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end();
  }
}

/** A server in a folder of its own, reached by a socket in it only, gone afterwards. */
export class RedisQueue implements Queue {
  readonly job = 'redis-consumer';
  readonly env: Queue['env'];
  readonly #folder: string;
  readonly #socket: string;
  readonly #server: ChildProcess;
  #put = 0;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#socket = path.join(folder, 'socket');
    this.env = { consumer: { SHOP_REDIS: this.#socket }, cloud: { ROCKSY_BACKLOG_REDIS: this.#socket } };
    // Whoever a pool runs as has to get in.
    fs.chmodSync(folder, 0o755);
    const address = ['--port', '0', '--unixsocket', this.#socket, '--unixsocketperm', '777'];
    this.#server = spawn('redis-server', [...address, '--save', '', '--dir', folder], { stdio: 'ignore' });
  }

  static async start(): Promise<RedisQueue> {
    const queue = new RedisQueue(fs.mkdtempSync(path.join(os.tmpdir(), 'rocksy-redis-')));
    await until('Redis listens', () => fs.existsSync(queue.#socket));
    return queue;
  }

  ask(...words: string[]): string[] {
    return execFileSync('redis-cli', ['-e', '-s', this.#socket, ...words], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line !== '');
  }

  async put(count: number): Promise<void> {
    const bodies = Array.from({ length: count }, () => `m${++this.#put}`);
    for (let i = 0; i < count; i += 500) this.ask('RPUSH', 'orders', ...bodies.slice(i, i + 500));
  }

  async left(): Promise<number> {
    const env = { ...process.env, ...this.env.cloud };
    return Number(execFileSync(path.join(EXAMPLE, 'redis-backlog.sh'), { env }));
  }

  async handled(): Promise<string[]> {
    return this.ask('LRANGE', 'orders:handled', '0', '-1');
  }

  async consumers(): Promise<ReadonlyMap<string, string | null>> {
    const clients = this.ask('CLIENT', 'LIST').flatMap((line) => / name=(\S+) /.exec(line)?.[1] ?? []);
    return new Map(clients.map((id) => [id, this.ask('LINDEX', `orders:processing:${id}`, '0')[0] ?? null]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.kill('SIGKILL');
    if (this.#server.exitCode === null && this.#server.signalCode === null) await once(this.#server, 'exit');
    fs.rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Why these can't be tested here; false: they can. */
function missing(
  programs: Readonly<Record<string, string>>,
  extension: string,
  hint: string,
): string | false {
  for (const [program, argument] of Object.entries(programs))
    if (spawnSync(program, [argument]).status !== 0) return `${program} is missing: ${hint}`;
  const { status } = spawnSync('php', ['-r', `exit(extension_loaded('${extension}') ? 0 : 1);`]);
  return status === 0 ? false : `PHP has no ${extension}: ${hint}`;
}

export const withoutPgsql = missing({ php: '-v' }, 'pgsql', 'apt-get install php-pgsql');
export const withoutRedis = missing(
  { php: '-v', 'redis-server': '-v', 'redis-cli': '-v' },
  'redis',
  'apt-get install redis-server redis-tools php-redis',
);
