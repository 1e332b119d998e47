// The worker's side of the keeper: what it inherits, and what the two tell each other.
import type { Server } from 'node:net';
import { constants } from 'node:os';
import { getppid, setCloseOnExec, setParentDeathSignal } from '../posix/index.ts';
import {
  envelope,
  type KeeperSignal,
  keeperSignals,
  MANIFEST_VARIABLE,
  type Manifest,
  type Orphan,
  parseManifest,
  parseToWorker,
  type ToKeeper,
  type ToWorker,
} from './messages.ts';

/** Signals and orphans come after ready() only. Those that come before a listener is there wait for it. */
export interface KeeperChannel {
  readonly keeperPid: number;
  /** Name of a listener → descriptor of its listening socket (close-on-exec). */
  readonly listeners: ReadonlyMap<string, number>;
  /** Lets a server accept on a listener. Closing it closes this process's copy only. Throws for a name that is unknown. */
  listen(server: Server, name: string): void;
  /** This worker serves. */
  ready(): void;
  /** This worker will exit and wants the keeper to end with it. Resolves when it is safe to exit. */
  stopping(): Promise<void>;
  onSignal(listener: (signal: KeeperSignal) => void): void;
  /** May tell of the same orphan again after a restart of the worker, until it is acknowledged. */
  onOrphan(listener: (orphan: Orphan) => void): void;
  acknowledgeOrphan(id: number): void;
  /** Ends the channel, so that it no longer keeps this process alive. */
  close(): void;
}

/** Was this process started by a keeper? */
export function isUnderKeeper(): boolean {
  return process.env[MANIFEST_VARIABLE] !== undefined;
}

/**
 * Takes over what the keeper gave this process. Call it once, first of all, on the main thread. From then on the
 * process dies with its keeper, and takes SIGTERM, SIGINT, SIGHUP and SIGUSR2 from the channel only.
 */
export function connectToKeeper(): KeeperChannel {
  const manifest = takeManifest();
  dieWithKeeper(manifest.keeperPid);
  for (const { fd } of manifest.listeners) setCloseOnExec(fd, 'close');
  // A service manager may signal the whole control group. The keeper has had it too, and says when it is our turn.
  for (const signal of keeperSignals) process.on(signal, () => undefined);
  return new Channel(manifest);
}

function takeManifest(): Manifest {
  const text = process.env[MANIFEST_VARIABLE];
  delete process.env[MANIFEST_VARIABLE];
  if (text === undefined || process.send === undefined) {
    throw new Error('this program is a worker: it is started by its keeper only');
  }
  const parsed = parseManifest(text);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.message;
}

/** The second line for what PR_SET_PDEATHSIG misses: a change of user clears it (prctl(2)), the channel's end does not. */
function dieWithKeeper(keeperPid: number): void {
  setParentDeathSignal(constants.signals.SIGKILL);
  if (getppid() !== keeperPid) die(); // it died before the line above
  process.once('disconnect', die);
}

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

class Channel implements KeeperChannel {
  readonly keeperPid: number;
  readonly listeners: ReadonlyMap<string, number>;
  readonly #manifest: Manifest;
  readonly #signals = new Mailbox<KeeperSignal>();
  readonly #orphans = new Mailbox<Orphan>();
  #acknowledged: number[] = [];

  constructor(manifest: Manifest) {
    this.#manifest = manifest;
    this.keeperPid = manifest.keeperPid;
    this.listeners = new Map(manifest.listeners.map(({ name, fd }) => [name, fd]));
    process.on('message', this.#onMessage);
  }

  listen(server: Server, name: string): void {
    const listener = this.#manifest.listeners.find((candidate) => candidate.name === name);
    if (listener === undefined) throw new Error(`the keeper has no listener named '${name}'`);
    // listen(2) is called again and sets the backlog anew. Of a descriptor's options Node reads only `fd`, and takes the
    // backlog from the second argument, else 511: Server.prototype.listen in lib/net.js.
    server.listen({ fd: listener.fd }, listener.backlog);
  }

  ready(): void {
    void this.#send({ t: 'ready' });
  }

  stopping(): Promise<void> {
    return this.#send({ t: 'stopping' });
  }

  onSignal(listener: (signal: KeeperSignal) => void): void {
    this.#signals.deliverTo(listener);
  }

  onOrphan(listener: (orphan: Orphan) => void): void {
    this.#orphans.deliverTo(listener);
  }

  acknowledgeOrphan(id: number): void {
    if (this.#acknowledged.push(id) > 1) return;
    queueMicrotask(() => {
      void this.#send({ t: 'acknowledge', ids: this.#acknowledged });
      this.#acknowledged = [];
    });
  }

  close(): void {
    process.off('disconnect', die);
    process.off('message', this.#onMessage);
    if (process.connected) process.disconnect();
  }

  /** A keeper of a later release may say more than this worker knows: that is passed over. */
  readonly #onMessage = (value: unknown): void => {
    const parsed = parseToWorker(value);
    if (!parsed.ok && parsed.why === 'version') throw new Error(parsed.reason);
    if (parsed.ok) this.#deliver(parsed.message);
  };

  #deliver(message: ToWorker): void {
    switch (message.t) {
      case 'signal':
        this.#signals.put(message.signal);
        break;
      case 'orphans':
        for (const orphan of message.orphans) this.#orphans.put(orphan);
        break;
    }
  }

  /** Resolves also when the keeper is gone: then this process is about to end as well. */
  #send(message: ToKeeper): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (process.send === undefined) resolve();
    else process.send(envelope(message), undefined, undefined, () => resolve());
    return promise;
  }
}

/** Holds what comes before its one listener does. */
class Mailbox<T> {
  #listener: ((item: T) => void) | null = null;
  #waiting: T[] = [];

  put(item: T): void {
    if (this.#listener === null) this.#waiting.push(item);
    else this.#listener(item);
  }

  deliverTo(listener: (item: T) => void): void {
    this.#listener = listener;
    for (const item of this.#waiting.splice(0)) listener(item);
  }
}
