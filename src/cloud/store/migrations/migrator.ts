import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { first } from './0001-first.ts';
import { nextDue } from './0002-next-due.ts';
import { confirmed } from './0003-confirmed.ts';
import type { MigrationStep, Wording } from './step.ts';

/** In order. Never change one that has been released; add the next. */
const STEPS: Readonly<Record<string, MigrationStep>> = {
  '0001-first': first,
  '0002-next-due': nextDue,
  '0003-confirmed': confirmed,
};

const TABLE = 'rocksy_migration';
const LOCK = 'rocksy_migration_lock';

export interface MigrationState {
  readonly name: string;
  readonly appliedMs: number | null;
  /** False: a newer Rocksy applied it, this one does not have it. */
  readonly known: boolean;
}

/** Those tables are there before the first migration is: another process may be about to do it. */
export function isOfMigrator(table: string): boolean {
  return table === TABLE || table === LOCK;
}

/** `db` has no plugins. `tables` are the names of those that there are. */
export async function appliedMigrations(
  db: Kysely<MigrationDatabase>,
  tables: readonly string[],
): Promise<{ name: string; appliedMs: number }[]> {
  if (!tables.includes(TABLE)) return [];
  const rows = await db.selectFrom(TABLE).select(['name', 'timestamp']).orderBy('name').execute();
  return rows.map(({ name, timestamp }) => ({ name, appliedMs: Date.parse(timestamp) }));
}

export function statusOf(applied: readonly { name: string; appliedMs: number }[]): MigrationState[] {
  const times = new Map(applied.map(({ name, appliedMs }) => [name, appliedMs]));
  const names = new Set([...Object.keys(STEPS), ...times.keys()]);
  return [...names].sort().map((name) => ({
    name,
    appliedMs: times.get(name) ?? null,
    known: name in STEPS,
  }));
}

/**
 * Applies what is missing, all in one transaction: after a failure the schema is what it was. Returns the names of what
 * it applied. Two at once are serialised by the database.
 */
export async function migrateToLatest(db: Kysely<MigrationDatabase>, wording: Wording): Promise<string[]> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => migrationsIn(wording) },
    migrationTableName: TABLE,
    migrationLockTableName: LOCK,
  });
  const { error, results = [] } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
  return results.map(({ migrationName }) => migrationName);
}

function migrationsIn(wording: Wording): Record<string, Migration> {
  return Object.fromEntries(
    Object.entries(STEPS).map(([name, step]) => [name, { up: (db) => execute(db, step(wording)) }]),
  );
}

async function execute(db: Kysely<unknown>, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

/** Kysely's own table, by the name that we give it. */
export interface MigrationDatabase {
  [TABLE]: { name: string; timestamp: string };
}
