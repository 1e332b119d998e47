/** What a run of a job starts. */
export type RunDefinition =
  | { readonly class: string; readonly params: readonly unknown[] }
  | { readonly argv: readonly string[] };

export type ScheduleDefinition =
  | { readonly cron: string; readonly timezone: string }
  | { readonly every_ms: number; readonly offset_ms: number }
  | { readonly at_ms: number };

/** How often something is tried again, and when: after `backoff_ms`, then each time `factor` times as long, up to `max_backoff_ms`. */
export interface RetryPolicy {
  readonly max: number;
  readonly backoff_ms: number;
  readonly factor: number;
  readonly max_backoff_ms: number;
}

export type BlackoutDefinition =
  | { readonly from_ms: number; readonly to_ms: number }
  | { readonly cron: string; readonly timezone: string; readonly for_ms: number };

/**
 * A job as it is meant: every default is in it, so that what it does changes only when somebody changes it. Plain JSON;
 * a key that comes with a later release is missing in what is stored, and has to have a default when it is read.
 */
export interface JobDefinition {
  readonly project: string;
  readonly name: string;
  readonly description: string;
  readonly run: RunDefinition;
  readonly pool: string;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | null;
  /** What its runs read from their standard input; null: it is empty. */
  readonly stdin: string | null;
  readonly schedule: readonly ScheduleDefinition[];
  readonly start_ms: number | null;
  readonly end_ms: number | null;
  readonly jitter_ms: number;
  readonly blackout: readonly BlackoutDefinition[];
  readonly misfire: {
    readonly policy: 'skip' | 'once' | 'all';
    /** Older ones are not made up for; null: however old. */
    readonly within_ms: number | null;
    readonly max: number;
  };
  readonly overlap: {
    readonly policy: 'allow' | 'skip' | 'queue' | 'replace';
    /** With `queue`: so many wait at most. */
    readonly limit: number;
  };
  readonly timeout_ms: number | null;
  readonly kill_after_ms: number;
  /** A run that has not begun by then is over. */
  readonly queue_timeout_ms: number | null;
  readonly delivery: 'at-most-once' | 'at-least-once';
  readonly on_host_loss: 'wait' | 'fail' | 'rerun';
  readonly retry: {
    readonly failure: RetryPolicy;
    readonly lost_process: RetryPolicy;
    readonly lost_host: RetryPolicy;
  };
  /** The higher goes first. */
  readonly priority: number;
  /** Runs of this job at a time; null: as many as its hosts take. */
  readonly concurrency: number | null;
  /** Names of jobs of the same project. */
  readonly on_success: readonly string[];
  readonly on_failure: readonly string[];
  /** It is started when all of these have succeeded. */
  readonly after: readonly string[];
  /** JSON Schema of the parameters; null: any. */
  readonly params_schema: Readonly<Record<string, unknown>> | null;
}
