// The store of the cloud: jobs and their history, the ledger, runs; on SQLite or PostgreSQL, by the same code.
// It must not know when jobs are due, where runs go or what hosts say: it keeps what it is given, in transactions.
// Only this folder knows SQL.

export type {
  Alerts,
  AlertsChange,
  AlertsScope,
  KeptAlerts,
  KeptGathering,
  KeptIncident,
} from './alerts.ts';
export type { AuditEntry } from './audit.ts';
export type { CopiedTable } from './copy.ts';
export type { Deliveries, DeliveryAttempt, DeliveryRecord, NewDelivery } from './deliveries.ts';
export { StoreError, type StoreErrorCode } from './error.ts';
export type { EventBatch } from './events.ts';
export type { HostFacts, HostRecord } from './hosts.ts';
export type { Applied, AppliedJob, JobPause, JobVersion } from './jobs.ts';
export type { Fence } from './leases.ts';
export type { Decision, LedgerEntry } from './ledger.ts';
export type { MigrationState } from './migrations/index.ts';
export type { KeptNextDue } from './next-due.ts';
export type { Page } from './page.ts';
export { runKeyOf, uuidV5, wireKeyOf } from './run-key.ts';
export type { Arrival, FormerAttempt, NewRun, RunChange, RunCommit, RunFilter, RunRecord } from './runs.ts';
export { openStore, type Store, type StoreOptions } from './store.ts';
export type { TokenRecord } from './tokens.ts';
export type {
  HostId,
  JobId,
  Role,
  RunCause,
  RunKey,
  RunOutcome,
  RunState,
  SkipReason,
} from './vocabulary.ts';
