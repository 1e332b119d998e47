import { Postgres } from '../../src/cloud/store/fixtures/postgres.ts';
import { Database } from './database.ts';

const TELLING = ['fsync', 'synchronous_commit', 'wal_sync_method', 'full_page_writes', 'shared_buffers'];

/** A PostgreSQL for one turn after the other, that waits for the disk as a server of one's own does. */
export class Server implements AsyncDisposable {
  readonly #postgres: Postgres;
  readonly #admin: Database;

  static async start(): Promise<Server> {
    const postgres = await Postgres.start({ isDurable: true });
    return new Server(postgres, await Database.open(await postgres.newDatabase()));
  }

  private constructor(postgres: Postgres, admin: Database) {
    this.#postgres = postgres;
    this.#admin = admin;
  }

  /** Lends an empty database, and drops it before anybody's autovacuum could come to it in the turn of somebody else. */
  async withDatabase(use: (url: string) => Promise<void>): Promise<void> {
    const url = await this.#postgres.newDatabase();
    // Or the writes of who was measured before would fall to this one's checkpoint.
    await this.#admin.execute('CHECKPOINT');
    await use(url);
    await this.#admin.execute(`DROP DATABASE ${nameOf(url)} WITH (FORCE)`);
  }

  /** What decides what its numbers mean. */
  async describe(): Promise<string> {
    const version = await this.#admin.value('SHOW server_version');
    const settings: string[] = [];
    for (const name of TELLING) settings.push(`${name} ${await this.#admin.value(`SHOW ${name}`)}`);
    return `PostgreSQL ${version.split(' ')[0]}, ${settings.join(', ')}; otherwise as initdb leaves it, by a Unix socket`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin[Symbol.asyncDispose]();
    await this.#postgres[Symbol.asyncDispose]();
  }
}

/** postgres://postgres@/NAME?host=FOLDER */
function nameOf(url: string): string {
  return /@\/(\w+)\?/.exec(url)?.[1] ?? '';
}
