/** How the instances of a job stand. Times in ms since 1970; null: not, or nobody knows. */
export interface InstancesView {
  readonly wanted: number;
  /** Without those that are ending. */
  readonly present: number;
  readonly ending: number;
  readonly backlog: number | null;
  readonly backlog_at_ms: number | null;
  /** Why the backlog could not be read: the number before that holds. */
  readonly backlog_error: string | null;
  readonly backlog_failing_since_ms: number | null;
  /** Instances end as soon as they begin: none is started before. */
  readonly slowed_until_ms: number | null;
}
