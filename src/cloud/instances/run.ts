import type { RunKey } from '../store/index.ts';

/** A run of a job with instances that has not ended. */
export interface InstanceRun {
  readonly key: RunKey;
  /** By the cloud's clock. */
  readonly createdMs: number;
  /** By its host's clock. Null: it waits for a host, or its host has not yet said that it began. */
  readonly startedMs: number | null;
  /** Somebody has asked it to end. */
  readonly isEnding: boolean;
}

/** How one ended. */
export interface InstanceEnd {
  readonly createdMs: number;
  /** Null: it never began. Both by the host's clock. */
  readonly startedMs: number | null;
  readonly endedMs: number;
  /** Somebody had asked it to end. */
  readonly wasCancelled: boolean;
}
