import type { Listen } from '../../document/index.ts';

/** The configuration as the daemon uses it: absolute paths, ms, bytes, every default filled in, frozen. */

export type Role = 'viewer' | 'operator' | 'admin';

export interface Token {
  readonly name: string;
  readonly role: Role;
  /** 64 lower-case hexadecimal digits. */
  readonly sha256: string;
}

/** How TCP connections show who they are. Unix sockets go by file mode and peer credentials. */
export type Auth = { readonly kind: 'none' } | { readonly kind: 'tokens'; readonly tokens: readonly Token[] };

/** As prlimit takes them: decimal digits or `unlimited`. */
export interface Rlimit {
  readonly soft: string;
  readonly hard: string;
}

/** Where one secret comes from. */
export type SecretSource =
  | { readonly kind: 'file'; readonly path: string }
  /** `argv` as it is written, for people; its first stands for `program`. */
  | { readonly kind: 'command'; readonly program: string; readonly argv: readonly string[] }
  /** A file in systemd's $CREDENTIALS_DIRECTORY. */
  | { readonly kind: 'credential'; readonly name: string };

export interface PoolConfig {
  readonly name: string;
  readonly runtime: 'php' | 'python' | 'node' | 'command';
  /** `null` for `command` pools, and for `python` and `node` pools that have `jobs`. */
  readonly bootstrap: string | null;
  /** Folder of job classes; for `python` and `node` pools only. */
  readonly jobs: string | null;
  readonly prefork: number;
  /** `null`: the pool stays what the daemon is (never so when the daemon is root). */
  readonly user: string | null;
  /** Name, or number where it has none. `null` only where `user` is: no change. */
  readonly group: string | null;
  readonly nice: number;
  /** By prlimit's long option: `nofile`, `as`, … */
  readonly rlimits: ReadonlyMap<string, Rlimit>;
  /** `null`: the runtime's own. */
  readonly interpreter: string | null;
  /** `false`: a process is started for each run. `unproven`: a Node of whatever version is forked. For `node` pools only. */
  readonly fork: boolean | 'unproven';
  readonly args: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  /** Environment files, read when a generation starts; of what stands in several the later counts. */
  readonly envFiles: readonly string[];
  /** By the name of the variable. */
  readonly secrets: ReadonlyMap<string, SecretSource>;
  /** Names that a request may set; a `*` at the end stands for any rest. */
  readonly allowEnv: readonly string[];
  readonly maxRunning: number;
  readonly queue: number;
  readonly maxAgeMs: number | null;
  readonly maxMemoryBytes: number | null;
  readonly bootTimeoutMs: number;
  readonly claimTimeoutMs: number;
  readonly timeoutMs: number | null;
  readonly killAfterMs: number;
  readonly leaveChildren: boolean;
  /** What the inspection after the bootstrap may find without refusing the pool. */
  readonly allow: readonly string[];
}

export interface Retention {
  readonly runsMaxAgeMs: number;
  readonly runsMaxCount: number;
  readonly logsMaxAgeMs: number;
  readonly logsMaxBytes: number;
}

export interface Limits {
  readonly lineBytes: number;
  readonly connections: number;
  readonly pipelined: number;
  readonly unreadBytes: number;
  readonly pushBytes: number;
}

/** The cloud that this host dials, and what it says of itself there. */
export interface Join {
  /** Where the same cloud is to be found, without a slash at their ends; they are tried in turn. */
  readonly urls: readonly string[];
  /** Has a token that is good for joining once; read when it is needed. */
  readonly tokenFile: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** How many runs of the cloud's it wants at once. */
  readonly capacity: number;
  /** Names of the pools that the cloud may start runs in. */
  readonly pools: readonly string[];
  /** Certificates in PEM that are trusted instead of those that Node brings. */
  readonly caFile: string | null;
}

export interface Config {
  /** The file, absolute. */
  readonly path: string;
  /** Its folder, which every relative path in it starts from. */
  readonly dir: string;
  readonly listen: readonly Listen[];
  readonly auth: Auth;
  readonly insecure: boolean;
  readonly state: string;
  readonly defaultPool: string;
  readonly pools: ReadonlyMap<string, PoolConfig>;
  /** null: this host belongs to no cloud. */
  readonly join: Join | null;
  readonly stopRuns: 'stop' | 'leave';
  readonly stopGraceMs: number;
  /** For a new version to load, and again to take over; after that the old one serves on. */
  readonly takeoverTimeoutMs: number;
  readonly retention: Retention;
  /** Of one run's log; 0 is no bound. */
  readonly logMaxBytes: number;
  /** Below so much free disk space new runs are refused; 0 never refuses. */
  readonly minFreeBytes: number;
  /** With the flag `g`, for `replaceAll`. Not frozen: a regular expression keeps its place in itself. */
  readonly mask: readonly RegExp[];
  readonly limits: Limits;
  readonly log: { readonly level: string };
  /** What is allowed but should be known, as lines ready to print. */
  readonly warnings: readonly string[];
}
