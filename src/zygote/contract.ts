import type { JsonValue } from '../wire/index.ts';

/** The version of the contract in docs/zygote.md. */
export const CONTRACT_VERSION = 1;

/** Name of the environment variable that carries a `ZygoteConfig`. */
export const CONFIG_VARIABLE = 'ROCKSY_ZYGOTE';

/** The descriptor of the listening socket that a zygote finds. */
export const LISTEN_FD = 3;

export interface ZygoteConfig {
  readonly version: typeof CONTRACT_VERSION;
  readonly pool: string;
  readonly generation: number;
  readonly bootstrap?: string;
  readonly jobs?: string;
  readonly runs: string;
  readonly prefork: number;
  readonly claim_timeout_ms: number;
  readonly leave_children: boolean;
  /** `unproven`: fork a Node of whatever version. */
  readonly fork?: 'unproven';
}

/** What a run is, to the child that will be it. */
export interface StartSpec {
  readonly class?: string;
  readonly params?: JsonValue;
  readonly argv?: readonly string[];
  readonly env?: { readonly [name: string]: string };
  readonly cwd?: string;
  readonly stdin?: string;
  readonly log?: string;
  readonly timeout_ms?: number;
  readonly kill_after_ms?: number;
}

export type ZygoteRequest =
  | { readonly op: 'hello'; readonly id: number; readonly version: number; readonly session: number }
  | { readonly op: 'probe'; readonly id: number }
  | ({ readonly op: 'start'; readonly key: string; readonly file: string } & StartSpec)
  | { readonly op: 'ack'; readonly key: string }
  | { readonly op: 'signal'; readonly id: number; readonly key: string; readonly signal: number }
  | {
      readonly op: 'cancel';
      readonly id: number;
      readonly key: string;
      readonly kill_after_ms: number;
      readonly reason: string;
    }
  | { readonly op: 'stats'; readonly id: number }
  | { readonly op: 'drain' };

/** Something in a zygote that its children can't share. */
export interface Finding {
  /** What `allow` in the configuration has to say to permit it. */
  readonly name: string;
  /** The sentence for the person who wrote the bootstrap. */
  readonly message: string;
}

export interface HelloEvent {
  readonly event: 'hello';
  readonly id: number;
  readonly version: number;
  readonly session: number;
  readonly pid: number;
  readonly generation: number;
  readonly descriptors: readonly number[];
  readonly parked: number;
  readonly draining: boolean;
  /** What the bootstrap has left that can't be seen in /proc. */
  readonly findings?: readonly Finding[];
  /** The places in the bootstrap's code that have made some of its descriptors, by number. */
  readonly made_at?: { readonly [descriptor: number]: string };
}

export interface EndedEvent {
  readonly event: 'ended';
  readonly key: string;
  readonly pid: number;
  readonly code: number | null;
  readonly signal: number | null;
  readonly reason: string | null;
  readonly claimed: boolean;
  readonly message?: string;
  readonly cpu_user_ms: number;
  readonly cpu_system_ms: number;
  readonly max_rss_bytes: number;
}

export type RefusalCode = 'draining' | 'known' | 'invalid' | 'fork_failed';

export type RunEvent =
  | { readonly event: 'refused'; readonly key: string; readonly code: RefusalCode; readonly message: string }
  | { readonly event: 'forked'; readonly key: string; readonly pid: number }
  | { readonly event: 'claimed'; readonly key: string; readonly pid: number }
  | EndedEvent;

export interface StatsEvent {
  readonly event: 'stats';
  readonly id: number;
  readonly running: number;
  readonly parked: number;
  readonly forks: number;
  readonly extra: { readonly [name: string]: JsonValue };
}

export type ZygoteEvent =
  | HelloEvent
  | RunEvent
  | StatsEvent
  | { readonly event: 'probed'; readonly id: number; readonly ok: boolean; readonly message?: string }
  | { readonly event: 'signalled'; readonly id: number; readonly key: string; readonly ok: boolean }
  | { readonly event: 'error'; readonly id?: number; readonly message: string };
