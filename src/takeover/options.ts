// What a keeper is told, and why it may not come up.
import type { Backoff } from './lifecycle.ts';

export interface TcpListenerOptions {
  readonly name: string;
  readonly kind: 'tcp';
  /** An IPv4 or IPv6 address, or a name that is looked up once. */
  readonly host: string;
  /** 0: the kernel chooses. */
  readonly port: number;
  readonly backlog: number;
}

export interface UnixListenerOptions {
  readonly name: string;
  readonly kind: 'unix';
  readonly path: string;
  /** Permissions of the socket file, for example 0o660. */
  readonly mode: number;
  readonly backlog: number;
}

export type ListenerOptions = TcpListenerOptions | UnixListenerOptions;

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type Log = (level: LogLevel, message: string, fields: Readonly<Record<string, unknown>>) => void;

export interface KeeperOptions {
  readonly listeners: readonly ListenerOptions[];
  /** An existing folder; the file `lock` in it is held by flock(2) while the keeper lives. */
  readonly lockDir: string;
  /** How long to wait for lock and addresses that a predecessor still holds, for example 5000. */
  readonly waitMs: number;
  /** The worker's program. Resolved anew at every start, so a release symlink that has moved is followed. */
  readonly entry: string;
  /** Options of Node itself for the worker. */
  readonly execArgv: readonly string[];
  readonly args: readonly string[];
  /** The worker's whole environment; the manifest is added. */
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
  /** For example { firstMs: 100, maxMs: 10_000, resetAfterMs: 30_000 }. */
  readonly backoff: Backoff;
  /** A worker that is not ready after so long is killed and started again. */
  readonly readyTimeoutMs: number;
  /** A worker that was told to stop, or said that it stops, is killed after so long. */
  readonly stopTimeoutMs: number;
  /** For a successor to load and to be prepared, and again for the hand-over; then the worker serves on. */
  readonly takeoverTimeoutMs: number;
  /** The Node for a worker with this entry, resolved; this process's own when absent. */
  readonly execPath?: (entry: string) => string;
  /** RLIMIT_NOFILE that is wanted, as far as the hard limit and our rights allow; 65,536 when absent. */
  readonly openFiles?: number;
}

/** Why a keeper did not come up. `hint` says what to do about it. */
export class KeeperError extends Error {
  override readonly name = 'KeeperError';
  readonly code: 'lock_held' | 'address_in_use' | 'not_a_socket' | 'duplicate_listener';
  readonly hint: string;

  constructor(code: KeeperError['code'], message: string, hint: string) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}
