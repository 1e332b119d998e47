import type { RocksyError } from './errors.ts';
import type { JsonValue } from './json.ts';
import type { RunKey } from './key.ts';
import type { RequestId } from './line.ts';

export type RunState = 'queued' | 'starting' | 'running' | 'ended';
export type OutcomeName = 'succeeded' | 'failed' | 'killed' | 'timed_out' | 'cancelled' | 'lost';

export interface Progress {
  /** 0 to 100, or null where the job can't tell. */
  readonly percent: number | null;
  readonly text: string;
}

/** A run as answers show it (docs/wire.md). Times are milliseconds of the epoch; what is not known is null. */
export interface RunView {
  readonly key: RunKey;
  readonly job: string | null;
  readonly pool: string;
  readonly generation: number | null;
  readonly class: string | null;
  readonly argv: readonly string[] | null;
  readonly state: RunState;
  readonly outcome: OutcomeName | null;
  readonly code: number | null;
  readonly signal: string | null;
  readonly retcode: number | null;
  readonly error: string | null;
  readonly result: JsonValue;
  readonly progress: Progress | null;
  readonly pid: number | null;
  readonly queued_ms: number;
  readonly started_ms: number | null;
  readonly ended_ms: number | null;
  readonly cpu_user_ms: number | null;
  readonly cpu_system_ms: number | null;
  readonly max_rss_bytes: number | null;
}

export type RunEventName = 'queued' | 'started' | 'exited' | 'progress' | 'log';

/** A pool as `pools` shows it. */
export interface PoolView {
  readonly name: string;
  readonly runtime: string;
  /** The program that loads the pool's code; null where each run is a program of its own. Older daemons don't say. */
  readonly interpreter?: string | null;
  /** Whom zygote and runs belong to; null: whoever the daemon is. */
  readonly user?: string | null;
  /** Whether runs that name no pool go here. */
  readonly default: boolean;
  readonly state: 'starting' | 'serving' | 'unavailable' | 'draining';
  /** Why the pool does not serve, or why the newest generation did not come up. */
  readonly problem: string | null;
  readonly queued: number;
  readonly running: number;
  readonly max_running: number;
  readonly generations: readonly GenerationView[];
}

export interface GenerationView {
  readonly number: number;
  readonly state: 'starting' | 'serving' | 'draining';
  readonly pid: number | null;
  readonly running: number;
  readonly started_ms: number;
  readonly rss_bytes: number | null;
}

/** What a host says of itself over its link (docs/wire.md, 'The host link'). */
export interface HostView {
  readonly name: string;
  readonly version: string;
  readonly boot_id: string;
  readonly labels: Readonly<Record<string, string>>;
  /** How many runs it wants at once. */
  readonly capacity: number;
  readonly started_ms: number;
  /** Those that the cloud may use. */
  readonly pools: readonly {
    readonly name: string;
    readonly runtime: string;
    readonly max_running: number;
  }[];
}

/** How a takeover went, in milliseconds. `stall` is what a client had to wait that asked at the worst moment. */
export interface TakeoverView {
  readonly connections: number;
  readonly state_bytes: number;
  /** Passing the connections and rehearsing; everybody was served meanwhile. */
  readonly prepare_ms: number;
  /** Nothing new was begun, and what was short ended. */
  readonly quiesce_ms: number;
  /** The old process stood still and wrote down its state. */
  readonly freeze_ms: number;
  /** The new process adopted it. */
  readonly adopt_ms: number;
  /** The new process began to accept, and to serve who had asked meanwhile. */
  readonly serve_ms: number;
  /** From then on until every connection was served again. */
  readonly activate_ms: number;
  /** quiesce to serve, all in all. */
  readonly stall_ms: number;
}

/** An answer as one line. */
export function encodeAnswer(id: RequestId | undefined, fields: object): Buffer {
  return Buffer.from(`${JSON.stringify({ ...(id === undefined ? {} : { id }), ...fields })}\n`);
}

/** An error as the fields of an answer. */
export function errorFields(error: RocksyError): object {
  return {
    ok: false,
    code: error.code,
    message: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.output === undefined ? {} : { output: error.output }),
  };
}

/** The exact words of the original protocol. */
export const ORIGINAL = {
  ok: { error_text: 'OK' },
  runHashNotNumeric: { error_text: 'hash is not numeric' },
  hashNotNumeric: { error_text: 'Hash is not numeric' },
  notFound: { error_text: 'Hash not found' },
  stillRunning: { error_text: 'Still running' },
  notRunning: { error_text: 'Script already not running' },
  restarted: { error_text: 'Restarted successfully' },
  invalidJson: { error_text: 'Invalid JSON' },
} as const;

/** The original's answer to a request it does not know, with the JSON text as it was sent. */
export function originalUnknown(name: string, text: string): object {
  return { error_text: `UNKNOWN REQUEST 'request_${name}': ${text}` };
}
