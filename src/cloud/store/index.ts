// The store of the cloud: jobs and their history, the ledger, runs; on SQLite or PostgreSQL, by the same code.
// It must not know when jobs are due, where runs go or what hosts say: it keeps what it is given, in transactions.
// Only this folder knows SQL.

export { StoreError, type StoreErrorCode } from './error.ts';
export { type AppliedJob, Jobs, type JobVersion } from './jobs.ts';
export { Ledger, type LedgerEntry, type NewRun } from './ledger.ts';
export type { MigrationState } from './migrations/index.ts';
export type { Page } from './page.ts';
export { runKeyOf, uuidV5, wireKeyOf } from './run-key.ts';
export { openStore, type Store, type StoreOptions } from './store.ts';
export type { HostId, JobId, RunKey, SkipReason } from './vocabulary.ts';
