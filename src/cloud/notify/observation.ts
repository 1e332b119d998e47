/** What an incident is about. */
export type IncidentKind = 'failed' | 'late' | 'missed' | 'too_long';

export const INCIDENT_KINDS: readonly IncidentKind[] = ['failed', 'late', 'missed', 'too_long'];

export type ObservationKind =
  /** A run has ended: its last attempt, not one that is tried again. */
  | 'failed'
  | 'succeeded'
  /** A run waits for longer than it should; it has begun, or does not wait any more. */
  | 'late'
  | 'late_over'
  /** A due instant went by without a run; the next one did not. */
  | 'missed'
  | 'missed_over'
  /** A run goes on for longer than it should; it has ended. */
  | 'too_long'
  | 'too_long_over'
  /** The job is there no more, nor are its incidents. */
  | 'removed';

/** What somebody has seen of a job. */
export interface Observation {
  /** `project/name` */
  readonly job: string;
  readonly kind: ObservationKind;
  /** Why, for people: the error as it was. Of no use where something is over. */
  readonly cause: string;
  readonly runKey: string | null;
  /** When it was, which may be long before it is known. */
  readonly atMs: number;
}
