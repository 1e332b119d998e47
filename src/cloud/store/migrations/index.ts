// The migrations of the store, numbered, and what brings a database up to them: the only place that changes a schema.
// Must not know what the tables are for; that is the aggregates' business.
// A static list: the published package has no folder to look through, and nobody adds one by dropping a file.
export {
  appliedMigrations,
  isOfMigrator,
  type MigrationState,
  migrateToLatest,
  statusOf,
} from './migrator.ts';
export type { Wording } from './step.ts';
