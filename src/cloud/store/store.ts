import { CamelCasePlugin, Kysely } from 'kysely';
import { Access } from './access.ts';
import { Alerts } from './alerts.ts';
import { Audit } from './audit.ts';
import { type CopiedTable, type CopyEnd, copyStore } from './copy.ts';
import { type Engine, postgresEngine, sqliteEngine } from './dialects/index.ts';
import { StoreError } from './error.ts';
import { Events } from './events.ts';
import { Hosts } from './hosts.ts';
import { IdempotencyKeys } from './idempotency.ts';
import { Jobs } from './jobs.ts';
import { Leases } from './leases.ts';
import { Ledger } from './ledger.ts';
import {
  appliedMigrations,
  isOfMigrator,
  type MigrationState,
  migrateToLatest,
  statusOf,
} from './migrations/index.ts';
import { NextDue } from './next-due.ts';
import { Runs } from './runs.ts';
import type { Database } from './schema.ts';
import { Settings } from './settings.ts';
import { Tokens } from './tokens.ts';

export interface StoreOptions {
  /**
   * `check`: the schema has to be the one that this release knows. `create`: an empty database gets it. `any`: for
   * looking at it. `migrate`: for bringing it up to this release, by `migrate()`; a file that is not there is made.
   */
  readonly schema: 'check' | 'create' | 'any' | 'migrate';
  /** Hears of connections to PostgreSQL that are lost while nobody uses them. */
  readonly onIdleError: (error: Error) => void;
}

/** Opens `sqlite:FILE` or `postgres://…`. Throws StoreError, with the remedy in `hint`. */
export async function openStore(url: string, options: StoreOptions): Promise<Store> {
  const store = new Store(engineOf(url, options));
  try {
    const isEmpty = await store.isEmpty();
    if (options.schema === 'create' && isEmpty) await store.migrate();
    if (options.schema === 'create' || options.schema === 'check') await store.checkSchema();
    return store;
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw asUnreachable(error, store.place);
  }
}

/** What the system or PostgreSQL says by a code (ECONNREFUSED, 28P01, 3D000), with the place and a remedy. */
function asUnreachable(error: unknown, place: string): unknown {
  if (!(error instanceof Error) || error instanceof StoreError || !('code' in error)) return error;
  // With several addresses tried it has no message of its own.
  const reason = error.message === '' ? String(error.code) : error.message;
  return new StoreError('unreachable', `The store ${place} can't be opened: ${reason}`, {
    hint: 'look whether the server runs, the database is there, and user and password are right',
    cause: error,
  });
}

function engineOf(url: string, { schema, onIdleError }: StoreOptions): Engine {
  const [scheme = ''] = url.split(':', 1);
  if (scheme === 'sqlite' && url.length > 'sqlite:'.length)
    return sqliteEngine(url.slice('sqlite:'.length), { create: schema === 'create' || schema === 'migrate' });
  if (scheme === 'postgres' || scheme === 'postgresql') return postgresEngine(url, onIdleError);
  // What it is may hold a password.
  throw new StoreError('bad_url', `a store is sqlite:FILE or postgres://…, not ${scheme}:…`);
}

/** Owns its connections. */
export class Store implements AsyncDisposable {
  readonly jobs: Jobs;
  readonly ledger: Ledger;
  readonly nextDue: NextDue;
  readonly runs: Runs;
  readonly hosts: Hosts;
  readonly tokens: Tokens;
  readonly audit: Audit;
  readonly events: Events;
  readonly leases: Leases;
  readonly idempotencyKeys: IdempotencyKeys;
  readonly settings: Settings;
  readonly alerts: Alerts;
  readonly #engine: Engine;
  readonly #db: Kysely<Database>;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#db = new Kysely<Database>({ dialect: engine.dialect, plugins: [new CamelCasePlugin()] });
    const access = new Access(this.#db, engine);
    this.jobs = new Jobs(access);
    this.ledger = new Ledger(access);
    this.nextDue = new NextDue(access);
    this.runs = new Runs(access);
    this.hosts = new Hosts(access);
    this.tokens = new Tokens(access);
    this.audit = new Audit(access);
    this.events = new Events(access);
    this.leases = new Leases(access);
    this.idempotencyKeys = new IdempotencyKeys(access);
    this.settings = new Settings(access);
    this.alerts = new Alerts(access);
  }

  /** File, or server and database. */
  get place(): string {
    return this.#engine.place;
  }

  /** What has been applied to the schema, and what is missing. */
  async migrations(): Promise<MigrationState[]> {
    return statusOf(await this.#applied());
  }

  /** Brings the schema up to this release, or leaves it as it was. Returns what was applied. */
  async migrate(): Promise<string[]> {
    this.#refuseNewer(await this.migrations());
    try {
      return await migrateToLatest(this.#plain(), this.#engine.wording);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new StoreError('migration_failed', `${this.place} could not be migrated: ${reason}`, {
        hint: 'nothing has changed; instances of the release before go on working',
        cause,
      });
    }
  }

  /** Whether there is not one table, of Rocksy's or of anybody else's, but at most those that a migration begins with. */
  async isEmpty(): Promise<boolean> {
    return (await this.#engine.tableNames(this.#plain<never>())).every(isOfMigrator);
  }

  /** Rejects when the schema is not the one of this release. */
  async checkSchema(): Promise<void> {
    const migrations = await this.migrations();
    this.#refuseNewer(migrations);
    const missing = migrations.filter(({ appliedMs }) => appliedMs === null).map(({ name }) => name);
    if (missing.length === 0) return;
    const isNew = missing.length === migrations.length;
    throw new StoreError(
      isNew ? 'schema_missing' : 'schema_older',
      isNew ? `${this.place} is no store of Rocksy's yet` : `${this.place} lacks ${missing.join(', ')}`,
      { hint: 'run `rocksy store migrate`' },
    );
  }

  #refuseNewer(migrations: readonly MigrationState[]): void {
    const newer = migrations.filter(({ known }) => !known).map(({ name }) => name);
    if (newer.length === 0) return;
    throw new StoreError(
      'schema_newer',
      `${this.place} has been migrated by a later release (${newer.join(', ')})`,
      { hint: 'install that release or a later one here' },
    );
  }

  /** Writes a consistent copy to a file while others go on reading and writing. */
  async backup(file: string): Promise<void> {
    await this.#engine.backup(file);
  }

  /**
   * Copies all of it, as it is at this moment, into another store that has the schema and no rows; all or nothing. Tells
   * of each table, and returns them.
   */
  async copyTo(target: Store, told: (table: CopiedTable) => void = () => undefined): Promise<CopiedTable[]> {
    return await copyStore(this.#end(), target.#end(), told);
  }

  #end(): CopyEnd {
    return { db: this.#plain<never>(), engine: this.#engine };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#db.destroy();
  }

  async #applied(): Promise<{ name: string; appliedMs: number }[]> {
    const tables = await this.#engine.tableNames(this.#plain<never>());
    return await appliedMigrations(this.#plain(), tables);
  }

  /** Names as they are in the database. */
  #plain<T>(): Kysely<T> {
    return this.#db.withoutPlugins() as unknown as Kysely<T>;
  }
}
