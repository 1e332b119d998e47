// The listening sockets. The keeper owns them, workers come and go: newcomers wait in the accept queue meanwhile.
import { lookup } from 'node:dns/promises';
import { closeSync, lstatSync, type Stats, statSync, unlinkSync } from 'node:fs';
import { isIP } from 'node:net';
import { boundPort, isPosixError, listenTcp, listenUnix, probeUnix } from '../posix/index.ts';
import type { InheritedSockets } from './notify-sockets.ts';
import {
  KeeperError,
  type ListenerOptions,
  type TcpListenerOptions,
  type UnixListenerOptions,
} from './options.ts';
import { type Attempt, type Patience, whenFree } from './waiting.ts';

export interface HeldListener {
  readonly options: ListenerOptions;
  /** In the keeper. Close-on-exec: a worker gets it by being started with it, nobody else by accident. */
  readonly fd: number;
  /** For people: `127.0.0.1:31337` or the path. */
  readonly address: string;
  /** Device and inode of the socket file, so that at the end only our own is removed. */
  readonly file: Pick<Stats, 'dev' | 'ino'> | null;
  /** A service manager has passed it, and holds it too. */
  readonly inherited: boolean;
}

/** A Map by name, so that listeners can be added and removed while the keeper runs. Call it with the lock held only. */
export class Listeners {
  readonly #held = new Map<string, HeldListener>();
  readonly #inherited: Pick<InheritedSockets, 'take'> | null;

  /** `inherited`: sockets that are there already; a listener that fits one of them uses it. */
  constructor(inherited: Pick<InheritedSockets, 'take'> | null = null) {
    this.#inherited = inherited;
  }

  get all(): readonly HeldListener[] {
    return [...this.#held.values()];
  }

  /** Waits for an address that a predecessor's dying worker still has. */
  async open(options: ListenerOptions, patience: Patience): Promise<HeldListener> {
    if (this.#held.has(options.name)) {
      throw new KeeperError('duplicate_listener', `two listeners are named '${options.name}'`, 'rename one');
    }
    const bindable = options.kind === 'tcp' ? await resolved(options) : options;
    const passed = this.#inherited?.take(bindable) ?? null;
    const inherited = passed !== null;
    const fd = passed ?? (await whenFree(() => attempt(bindable), patience));
    const held =
      options.kind === 'unix'
        ? { options, fd, address: options.path, file: lstatSync(options.path), inherited }
        : { options, fd, address: tcpAddress(options.host, boundPort(fd)), file: null, inherited };
    this.#held.set(options.name, held);
    return held;
  }

  has(name: string): boolean {
    return this.#held.has(name);
  }

  /** Closes those that `keep` does not name, as `close` does; says which they were. */
  closeOthers(keep: ReadonlySet<string>): string[] {
    const others = this.all.filter(({ options }) => !keep.has(options.name));
    for (const held of others) {
      removeFile(held);
      closeSync(held.fd);
      this.#held.delete(held.options.name);
    }
    return others.map(({ options }) => options.name);
  }

  /**
   * Closes all. The accept queues' last connections are reset by the kernel, unless somebody else holds the sockets too:
   * `keep files` leaves the way to them.
   */
  close(files: 'remove files' | 'keep files' = 'remove files'): void {
    for (const held of this.all) {
      if (files === 'remove files') removeFile(held);
      closeSync(held.fd);
    }
    this.#held.clear();
  }
}

function removeFile({ options, file }: HeldListener): void {
  if (options.kind === 'unix' && file !== null && isSameFile(options.path, file)) unlinkSync(options.path);
}

/** bind(2) takes addresses only. The name's first address, in the resolver's order: getaddrinfo(3). */
async function resolved(options: TcpListenerOptions): Promise<TcpListenerOptions> {
  if (isIP(options.host) !== 0) return options;
  const { address } = await lookup(options.host);
  return { ...options, host: address };
}

function attempt(options: ListenerOptions): Attempt<number> {
  try {
    return { free: true, value: options.kind === 'tcp' ? listenTcp(options) : bindUnix(options) };
  } catch (error) {
    if (!isPosixError(error, 'EADDRINUSE')) throw error;
    return { free: false, error: inUse(options) };
  }
}

/** Replaces a socket file that nobody listens on: left over by a keeper that was killed, since we hold the lock. */
function bindUnix(options: UnixListenerOptions): number {
  try {
    return listenUnix(options);
  } catch (error) {
    if (!isPosixError(error, 'EADDRINUSE') || probeUnix(options.path).state !== 'stale') throw error;
    if (!statSync(options.path).isSocket()) {
      throw new KeeperError(
        'not_a_socket',
        `${options.path} exists and is not a socket; it was left as it is`,
        'move it away, or let the listener have another path',
      );
    }
    unlinkSync(options.path);
    return listenUnix(options);
  }
}

function inUse(options: ListenerOptions): KeeperError {
  const hint = 'stop it first, or let this listener have another address';
  if (options.kind === 'tcp') {
    const address = tcpAddress(options.host, options.port);
    return new KeeperError('address_in_use', `${address} is in use by another process`, hint);
  }
  const probe = probeUnix(options.path);
  const holder = probe.state === 'live' && probe.pid !== null ? `process ${probe.pid}` : 'another process';
  return new KeeperError('address_in_use', `${options.path} is in use by ${holder}`, hint);
}

function tcpAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function isSameFile(path: string, { dev, ino }: Pick<Stats, 'dev' | 'ino'>): boolean {
  const now = lstatSync(path, { throwIfNoEntry: false });
  return now?.dev === dev && now.ino === ino;
}
