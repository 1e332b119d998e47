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

/** How many at a time; null: as many as its hosts take. */
export interface ConcurrencyDefinition {
  readonly job: number | null;
  readonly per_host: number | null;
  readonly per_key: number | null;
  /** JSON Pointer (RFC 6901) into the parameters: where a run's key stands. Null: runs have none. */
  readonly key: string | null;
}

export type BlackoutDefinition =
  | { readonly from_ms: number; readonly to_ms: number }
  | { readonly cron: string; readonly timezone: string; readonly for_ms: number };

/** Where the number comes from of what waits to be worked on. */
export type BacklogSource =
  | { readonly command: readonly string[] }
  | { readonly http: string }
  /** The URL stands in an environment variable of the cloud, so that no secret stands here. */
  | { readonly postgres: { readonly url_env: string; readonly query: string } };

/** So many runs at all times, from `min` to `max`. */
export interface InstancesDefinition {
  readonly min: number;
  readonly max: number;
  /** Null: `max` of them, which `min` is as well. */
  readonly backlog: {
    readonly from: BacklogSource;
    /** What one instance is good for. */
    readonly per: number;
    /** How often it is looked at. */
    readonly every_ms: number;
    /** Fewer are wanted for so long before any is ended. */
    readonly cool_down_ms: number;
  } | null;
}

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
  /** Null: it runs when it is due or asked for. */
  readonly instances: InstancesDefinition | null;
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
  readonly concurrency: ConcurrencyDefinition;
  /** Labels that a host has to have. */
  readonly labels: Readonly<Record<string, string>>;
  /** What a run takes of a host's capacity. */
  readonly cost: number;
  /** Names of jobs of the same project. */
  readonly on_success: readonly string[];
  readonly on_failure: readonly string[];
  /** It is started when all of these have succeeded. */
  readonly after: readonly string[];
  /** JSON Schema of the parameters; null: any. */
  readonly params_schema: Readonly<Record<string, unknown>> | null;
  /** It can be started by a signed request of somebody who has no token. */
  readonly webhook: boolean;
  /** It is scheduled and written down, and nothing is run. */
  readonly shadow: boolean;
  /** When somebody is told of it, beside of what fails; null: never. */
  readonly expect: {
    /** After its due time. */
    readonly begun_within_ms: number | null;
    readonly ended_within_ms: number | null;
  };
}
