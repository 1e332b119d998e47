import type { RunKey } from '../../wire/index.ts';

declare const job: unique symbol;
declare const host: unique symbol;

/** A UUID: the same for all versions of a job. A job that is deleted and applied again has a new one. */
export type JobId = string & { readonly [job]: 'JobId' };
export type HostId = string & { readonly [host]: 'HostId' };
export type { RunKey };

/** Why a due time did not become a run. Closed: whoever reads the ledger knows them all. */
export const SKIP_REASONS = [
  'overlap',
  'blackout',
  'paused',
  'misfire',
  'outside',
  'limit',
  'replaced',
] as const;
export type SkipReason = (typeof SKIP_REASONS)[number];

/** `unreachable` is not final: it turns into the true state when the host is back. */
export const RUN_STATES = ['queued', 'starting', 'running', 'unreachable', 'ended'] as const;
export type RunState = (typeof RUN_STATES)[number];

export const RUN_OUTCOMES = ['succeeded', 'failed', 'killed', 'timed_out', 'cancelled', 'lost'] as const;
export type RunOutcome = (typeof RUN_OUTCOMES)[number];

/** Who wanted the run. `ref` says which one: the parent's or the former run's key, the backfill, the token. */
export const RUN_CAUSES = ['schedule', 'api', 'retry', 'backfill', 'parent', 'rerun'] as const;
export interface RunCause {
  readonly kind: (typeof RUN_CAUSES)[number];
  readonly ref: string | null;
}

export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];
