// The worker's side of the keeper: what it inherits, and what the two tell each other.
import { closeSync } from 'node:fs';
import type { Server } from 'node:net';
import { constants } from 'node:os';
import {
  duplicateOnto,
  exitNow,
  getppid,
  isReadable,
  receiveDescriptors,
  setCloseOnExec,
  setParentDeathSignal,
} from '../posix/index.ts';
import { PeerGone } from './dispatches.ts';
import { type Estate, handOver } from './hand-over.ts';
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
import type { ListenerOptions } from './options.ts';
import { type Heir, type Succession, Successor, TakeoverCalledOff } from './succession.ts';

/** Signals and orphans come after ready() only. Those that come before a listener is there wait for it. */
export interface KeeperChannel {
  readonly keeperPid: number;
  /** The folder that the keeper has locked. */
  readonly lockDir: string;
  /** Name of a listener → descriptor of its listening socket (close-on-exec). */
  readonly listeners: ReadonlyMap<string, number>;
  /** There is a predecessor that serves: load everything, then `succeed`, and serve nobody before that. */
  readonly isSuccessor: boolean;
  /** Lets a server accept on a listener. Closing it closes this process's copy only. Throws for a name that is unknown. */
  listen(server: Server, name: string): void;
  /**
   * Names all listeners that this worker wants; the keeper opens what is missing, and closes what is not wanted any more
   * when the worker is ready. Rejects with a ListenError when one can't be had. To be called before `ready`.
   */
  wantListeners(listeners: readonly ListenerOptions[]): Promise<void>;
  /**
   * Takes the predecessor's place: resolves when everything is this process's. Call `ready` as soon as it serves.
   * When the predecessor goes on after all, this process ends without a word, in this call.
   */
  succeed(heir: Heir): Promise<Succession>;
  /** What this worker hands over when it is replaced. Without it every takeover is refused. */
  bequeath(estate: Estate): void;
  /**
   * Asks to be replaced by a new process with the code and settings as they are now. Rejects with TakeoverRefused when
   * that did not come about; when it does, nobody is left to resolve it. One at a time.
   */
  takeover(): Promise<never>;
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

/** Nothing has changed for anybody: the worker that was to be replaced serves on. */
export class TakeoverRefused extends Error {
  override readonly name = 'TakeoverRefused';
  /** The last of what the new version printed. */
  readonly output: string;

  constructor(reason: string, output: string) {
    super(reason);
    this.output = output;
  }
}

/** The keeper could not open a listener that this worker wants. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

/** Was this process started by a keeper? */
export function isUnderKeeper(): boolean {
  return process.env[MANIFEST_VARIABLE] !== undefined;
}

/**
 * The descriptor that is, or is to become, this process's standard error: what a successor has as 2 at first is a pipe to
 * the keeper. To be asked before connectToKeeper(); whoever uses `process.stderr` in a successor holds on to the pipe.
 */
export function standardError(): number {
  const text = process.env[MANIFEST_VARIABLE];
  return (text === undefined ? undefined : (JSON.parse(text) as Manifest).successor?.stderr) ?? 2;
}

/**
 * Takes over what the keeper gave this process. Call it once, first of all, on the main thread. From then on the
 * process dies with its keeper, and takes SIGTERM, SIGINT, SIGHUP and SIGUSR2 from the channel only.
 */
export function connectToKeeper(): KeeperChannel {
  const manifest = takeManifest();
  dieWithKeeper(manifest.keeperPid);
  const { successor } = manifest;
  const inherited = [manifest.descriptors, ...(successor ? [successor.stdout, successor.stderr] : [])];
  for (const fd of [...manifest.listeners.map(({ fd }) => fd), ...inherited]) setCloseOnExec(fd, 'close');
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
  readonly lockDir: string;
  readonly listeners: Map<string, number>;
  readonly isSuccessor: boolean;
  readonly #manifest: Manifest;
  /** Backlogs of the listeners, by name. */
  readonly #backlogs: Map<string, number>;
  /** To the one that waits for it: what the keeper says about the predecessor. */
  readonly #succession = Promise.withResolvers<'succeed' | 'alone'>();
  readonly #alone = Promise.withResolvers<void>();
  #listening: PromiseWithResolvers<readonly string[]> | null = null;
  #estate: Estate | null = null;
  #takeover: PromiseWithResolvers<never> | null = null;
  #isReady = false;
  readonly #signals = new Mailbox<KeeperSignal>();
  readonly #orphans = new Mailbox<Orphan>();
  #acknowledged: number[] = [];

  constructor(manifest: Manifest) {
    this.#manifest = manifest;
    this.keeperPid = manifest.keeperPid;
    this.lockDir = manifest.lockDir;
    this.listeners = new Map(manifest.listeners.map(({ name, fd }) => [name, fd]));
    this.#backlogs = new Map(manifest.listeners.map(({ name, backlog }) => [name, backlog]));
    this.isSuccessor = manifest.successor !== undefined;
    process.on('message', this.#onMessage);
  }

  listen(server: Server, name: string): void {
    const fd = this.listeners.get(name);
    if (fd === undefined) throw new Error(`the keeper has no listener named '${name}'`);
    // listen(2) is called again and sets the backlog anew. Of a descriptor's options Node reads only `fd`, and takes the
    // backlog from the second argument, else 511: Server.prototype.listen in lib/net.js.
    server.listen({ fd }, this.#backlogs.get(name));
  }

  async wantListeners(listeners: readonly ListenerOptions[]): Promise<void> {
    this.#listening = Promise.withResolvers();
    void this.#send({ t: 'listen', listeners });
    const names = await this.#listening.promise;
    const fds: number[] = [];
    while (fds.length < names.length) fds.push(...this.#passed());
    names.forEach((name, i) => {
      this.listeners.set(name, fds[i] as number);
      this.#backlogs.set(name, listeners.find((listener) => listener.name === name)?.backlog ?? 0);
    });
    this.#closeUnwanted(new Set(listeners.map(({ name }) => name)));
  }

  /** A socket listens for as long as anybody has it: newcomers would wait in its queue, for nobody. */
  #closeUnwanted(wanted: ReadonlySet<string>): void {
    for (const [name, fd] of this.listeners) {
      if (wanted.has(name)) continue;
      this.listeners.delete(name);
      closeSync(fd);
    }
  }

  /** The descriptors that the keeper has passed, as its message says. */
  #passed(): readonly number[] {
    const { descriptors } = this.#manifest;
    const received = isReadable(descriptors, 0) ? receiveDescriptors(descriptors) : null;
    if (received === null) throw new Error('the keeper announced descriptors and passed none');
    return received.fds;
  }

  async succeed(heir: Heir): Promise<Succession> {
    const { successor } = this.#manifest;
    if (successor === undefined) throw new Error('there is no predecessor to succeed');
    heir.step?.('prepared');
    void this.#send({ t: 'prepared' });
    const succession = await this.#takeOver(heir);
    // What is printed from here on needs no ear of the keeper's.
    for (const [real, fd] of [successor.stdout, successor.stderr].entries()) {
      duplicateOnto(fd, real + 1);
      closeSync(fd);
    }
    return succession;
  }

  async #takeOver(heir: Heir): Promise<Succession> {
    if ((await this.#succession.promise) === 'alone')
      return { how: 'alone', adopted: false, activate: async () => undefined };
    const [dispatches = -1, answers = -1] = this.#passed();
    try {
      const succession = new Successor(heir, dispatches, answers).succeed();
      // The end of the dispatches may have any reason. That the predecessor is dead only its parent knows for certain.
      if (succession.how === 'alone') await this.#alone.promise;
      return succession;
    } catch (error) {
      if (error instanceof TakeoverCalledOff) exitNow(0);
      throw error;
    }
  }

  bequeath(estate: Estate): void {
    this.#estate = estate;
  }

  takeover(): Promise<never> {
    if (this.#takeover === null) {
      this.#takeover = Promise.withResolvers();
      // The keeper replaces nobody who does not serve yet.
      if (this.#isReady) void this.#send({ t: 'takeover' });
    }
    return this.#takeover.promise;
  }

  async #handOver(timeoutMs: number): Promise<void> {
    const [dispatches = -1, answers = -1] = this.#passed();
    const failed = (reason: Error): void => {
      void this.#send({ t: 'thawed', reason: reason instanceof PeerGone ? null : reason.message });
    };
    if (this.#estate === null) {
      failed(new Error('this worker has nothing to hand over: it never called bequeath()'));
      for (const fd of [dispatches, answers]) closeSync(fd);
      return;
    }
    const listeners = [...this.listeners.values()];
    await handOver(this.#estate, { dispatches, answers, listeners, timeoutMs }, failed);
  }

  ready(): void {
    void this.#send({ t: 'ready' });
    this.#isReady = true;
    if (this.#takeover !== null) void this.#send({ t: 'takeover' });
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
      case 'hand-over':
        void this.#handOver(message.timeoutMs);
        break;
      case 'succeed':
        this.#succession.resolve('succeed');
        break;
      case 'alone':
        this.#succession.resolve('alone');
        this.#alone.resolve();
        break;
      case 'refused':
        this.#takeover?.reject(new TakeoverRefused(message.reason, message.output));
        this.#takeover = null;
        break;
      case 'listening':
        this.#listening?.resolve(message.names);
        break;
      case 'not-listening':
        this.#listening?.reject(new ListenError(message.reason));
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
