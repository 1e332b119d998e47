// Listening sockets that a service manager holds: of a socket unit, or left in its store by a keeper that died.
import { chmodSync, closeSync, lstatSync } from 'node:fs';
import { isIPv6, SocketAddress } from 'node:net';
import { type ListeningAddress, listeningAddress, setCloseOnExec } from '../posix/index.ts';
import type { ListenerOptions } from './options.ts';

/** Descriptors are passed from here on: sd_listen_fds(3). */
const FIRST_FD = 3;
/** A name in the store is ASCII without colons and control characters, and no longer: sd_notify(3), FDNAME. */
const MAX_NAME_LENGTH = 255;

export interface ListenVariables {
  readonly LISTEN_PID?: string | undefined;
  readonly LISTEN_FDS?: string | undefined;
  readonly LISTEN_FDNAMES?: string | undefined;
}

interface InheritedSocket {
  readonly fd: number;
  readonly name: string;
  readonly address: ListeningAddress | null;
}

/** The name of a listener in the manager's store. The address decides where two names become one. */
export function storeName(listenerName: string): string {
  return listenerName.replaceAll(/[^\x21-\x7e]|:/g, '_').slice(0, MAX_NAME_LENGTH);
}

/** What this process was started with, by sd_listen_fds(3). Each socket is taken once; what is left is closed. */
export class InheritedSockets {
  readonly #sockets: InheritedSocket[];

  /** `firstFd` is for tests. */
  constructor(variables: ListenVariables, pid: number = process.pid, firstFd = FIRST_FD) {
    const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = variables;
    // Variables that a child of the one that was meant has inherited; its descriptors 3, 4, … are something else.
    const count = Number(LISTEN_PID) === pid ? Number(LISTEN_FDS) || 0 : 0;
    const names = LISTEN_FDNAMES?.split(':') ?? [];
    this.#sockets = Array.from({ length: count }, (_, i) => {
      const fd = firstFd + i;
      setCloseOnExec(fd, 'close');
      return { fd, name: names[i] ?? '', address: listeningAddress(fd) };
    });
  }

  get size(): number {
    return this.#sockets.length;
  }

  /** The descriptor that listens where this listener is to; null: there is none, or its socket file is gone. */
  take(listener: ListenerOptions): number | null {
    const at = this.#sockets.findIndex((socket) => fits(socket, listener));
    const found = this.#sockets[at];
    if (found === undefined) return null;
    if (listener.kind === 'unix' && !isSocketFile(listener)) return null;
    this.#sockets.splice(at, 1);
    return found.fd;
  }

  /** Closes what nobody wanted, and returns the names under which that was passed. */
  closeRest(): string[] {
    const rest = this.#sockets.splice(0);
    for (const { fd } of rest) closeSync(fd);
    return rest.map(({ name }) => name);
  }
}

function fits({ name, address }: InheritedSocket, listener: ListenerOptions): boolean {
  if (address === null) return false;
  if (address.kind === 'unix') return listener.kind === 'unix' && address.path === listener.path;
  if (listener.kind !== 'tcp' || address.host !== canonical(listener.host)) return false;
  // The kernel's choice of before is as good as a new one, if it was this listener's.
  return listener.port === 0 ? name === storeName(listener.name) : address.port === listener.port;
}

function canonical(host: string): string {
  return isIPv6(host) ? new SocketAddress({ address: host, family: 'ipv6' }).address : host;
}

/** Somebody may have removed it while nobody was there. The configuration's mode is in force, also on one that was made before. */
function isSocketFile({ path, mode }: ListenerOptions & { kind: 'unix' }): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats?.isSocket() !== true) return false;
  if ((stats.mode & 0o777) === mode) return true;
  try {
    chmodSync(path, mode);
  } catch (error) {
    // A socket unit has made it for us as another user: its SocketMode= is in force.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
  }
  return true;
}
