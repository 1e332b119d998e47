import type { OutcomeName, RunKey } from '../../wire/index.ts';

declare const job: unique symbol;
declare const host: unique symbol;

/** A UUID: the same for all versions of a job. A job that is deleted and applied again has a new one. */
export type JobId = string & { readonly [job]: 'JobId' };
export type HostId = string & { readonly [host]: 'HostId' };
export type { RunKey };

/** Why a due time did not become a run. Closed: whoever reads the ledger knows them all. */
export type SkipReason =
  | 'overlap'
  | 'blackout'
  | 'paused'
  | 'misfire'
  | 'outside'
  | 'limit'
  | 'replaced'
  /** The job is a shadow: it is scheduled, and nothing is run. */
  | 'shadow';

/** `unreachable` is not final: it turns into the true state when the host is back. */
export type RunState = 'queued' | 'starting' | 'running' | 'unreachable' | 'ended';

export type RunOutcome = OutcomeName;

/** Who wanted the run. `ref` says which one: the parent's or the former run's key, the backfill, the token. */
export interface RunCause {
  readonly kind: 'schedule' | 'api' | 'webhook' | 'backfill' | 'parent' | 'rerun' | 'instance';
  readonly ref: string | null;
}

export type Role = 'viewer' | 'operator' | 'admin';
