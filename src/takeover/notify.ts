// The keeper and its service manager (systemd): sd_notify(3), the watchdog, the store of listening sockets.
import { processStat, sendDatagram } from '../posix/index.ts';
import type { State, Step } from './lifecycle.ts';
import type { HeldListener } from './listeners.ts';
import { announcement, type Fields, isSound, status } from './notify-messages.ts';
import { InheritedSockets, storeName } from './notify-sockets.ts';
import type { Log } from './options.ts';

/** What a service manager sets. None of it is for the worker or for anything that the worker starts. */
const VARIABLES = [
  'NOTIFY_SOCKET',
  'WATCHDOG_USEC',
  'WATCHDOG_PID',
  'LISTEN_PID',
  'LISTEN_FDS',
  'LISTEN_FDNAMES',
  'LISTEN_PIDFDID',
  'FDSTORE',
] as const;
type Variables = { readonly [name in (typeof VARIABLES)[number]]?: string | undefined };

/** A manager that is busy, with its queue full, is told a little later. */
const RETRY_MS = 50;
/** So much may wait for it; then what is oldest is dropped. */
const MAX_WAITING = 100;

interface Message {
  readonly fields: Fields;
  readonly fds: readonly number[];
}

/** An environment without what is the service manager's. */
export function withoutServiceVariables(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names: ReadonlySet<string> = new Set(VARIABLES);
  return Object.fromEntries(Object.entries(env).filter(([name]) => !names.has(name)));
}

/**
 * Without a service manager every method does nothing. Whatever goes wrong in telling it is logged once and hurts
 * nobody: it is the manager's to act on silence.
 */
export class ServiceManager {
  readonly inherited: InheritedSockets;
  readonly #address: string | null;
  readonly #storesSockets: boolean;
  readonly #watchdogMs: number | null;
  readonly #log: Log;
  /** Name in the store → our descriptor of it. */
  readonly #stored = new Map<string, number>();
  #inheritedSome = false;
  #waiting: Message[] = [];
  #retry: NodeJS.Timeout | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #failed = false;
  #unsound = false;

  /** Takes the variables out of the environment: what this process starts later is not to have them. */
  static take(env: NodeJS.ProcessEnv, log: Log): ServiceManager {
    const variables: Variables = Object.fromEntries(VARIABLES.map((name) => [name, env[name]]));
    for (const name of VARIABLES) delete env[name];
    return new ServiceManager(variables, log);
  }

  private constructor(variables: Variables, log: Log) {
    const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID, FDSTORE } = variables;
    this.#address = NOTIFY_SOCKET || null;
    // systemd 254 and later say how many it would store; one that stores none ignores what it gets.
    this.#storesSockets = this.#address !== null && FDSTORE !== '0';
    const ours = !WATCHDOG_PID || Number(WATCHDOG_PID) === process.pid;
    const usec = Number(WATCHDOG_USEC);
    this.#watchdogMs = ours && usec > 0 ? Math.max(1, Math.floor(usec / 2_000)) : null;
    this.#log = log;
    this.inherited = new InheritedSockets(variables);
  }

  /** Somebody else holds the listening sockets too: newcomers wait there while no keeper runs, and the socket files stay. */
  get holdsSockets(): boolean {
    return this.#storesSockets || this.#inheritedSome;
  }

  /** The listeners that this keeper has now: what is new goes into the store, what is gone leaves it. */
  store(listeners: readonly HeldListener[]): void {
    if (listeners.some(({ inherited }) => inherited)) this.#inheritedSome = true;
    if (!this.#storesSockets) return;
    const now = new Map(listeners.map((held) => [storeName(held.options.name), held]));
    for (const [name, fd] of this.#stored) {
      if (now.get(name)?.fd !== fd) this.#forget(name);
    }
    for (const [name, { fd, inherited }] of now) {
      // What came from the manager is in its store, or is a socket unit's.
      if (!inherited && !this.#stored.has(name)) this.#send(['FDSTORE=1', `FDNAME=${name}`], [fd]);
      this.#stored.set(name, fd);
    }
  }

  /** Closes what came from the manager and no listener wants. */
  dropInherited(): void {
    const names = this.inherited.closeRest();
    if (names.length > 0)
      this.#log('warn', 'sockets of the service manager that no listener wants', { names });
    for (const name of names) if (name !== '' && !this.#stored.has(name)) this.#forget(name);
  }

  #forget(name: string): void {
    this.#stored.delete(name);
    if (this.#storesSockets) this.#send(['FDSTOREREMOVE=1', `FDNAME=${name}`]);
  }

  /** A line for `systemctl status`. */
  status(text: string): void {
    this.#send([status(text)]);
  }

  /** Tells of a step; `output` is what a successor that was refused has printed. */
  tell(before: State, step: Step, workerPid: number | null, output: string): void {
    const monotonicUs = process.hrtime.bigint() / 1000n; // CLOCK_MONOTONIC: uv_hrtime
    const fields = announcement(before, step, { keeperPid: process.pid, workerPid, output, monotonicUs });
    if (fields.length > 0) this.#send(fields);
  }

  /** Feeds the watchdog from here on, for as long as what `look` returns is sound. */
  watch(look: () => { readonly state: State; readonly workerPid: number | null }): void {
    if (this.#address === null || this.#watchdogMs === null) return;
    const feed = (): void => {
      const { state, workerPid } = look();
      const worker = workerPid === null ? null : (processStat(workerPid)?.state ?? null);
      const sound = isSound(state, worker);
      if (sound) this.#send(['WATCHDOG=1']);
      else if (!this.#unsound) this.#log('error', 'the watchdog is not fed', { workerPid, state: worker });
      this.#unsound = !sound;
    };
    feed();
    this.#watchdog = setInterval(feed, this.#watchdogMs);
  }

  close(): void {
    clearInterval(this.#watchdog);
    clearTimeout(this.#retry);
  }

  #send(fields: Fields, fds: readonly number[] = []): void {
    if (this.#address === null) return;
    this.#waiting.push({ fields, fds });
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
    this.#flush();
  }

  #flush(): void {
    clearTimeout(this.#retry);
    for (let message = this.#waiting[0]; message !== undefined; message = this.#waiting[0]) {
      if (!this.#deliver(message)) {
        this.#retry = setTimeout(() => this.#flush(), RETRY_MS);
        return;
      }
      this.#waiting.shift();
    }
  }

  /** False: not now. One that can't be delivered at all is passed over. */
  #deliver({ fields, fds }: Message): boolean {
    try {
      return sendDatagram(this.#address ?? '', Buffer.from(`${fields.join('\n')}\n`), fds);
    } catch (error) {
      if (!this.#failed) {
        const reason = error instanceof Error ? error.message : String(error);
        this.#log('warn', 'the service manager can not be told', { reason, message: fields.join(' ') });
      }
      this.#failed = true;
      return true;
    }
  }
}
