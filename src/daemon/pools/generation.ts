import type { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { isAlive, nameOf, type ProcessName, signalProcess } from '../../posix/index.ts';
import { RocksyError, type RunKey } from '../../wire/index.ts';
import {
  allowed,
  type HelloEvent,
  inspect,
  type LaunchOptions,
  launch,
  notAllowed,
  type RunEvent,
  type RuntimeName,
  ZygoteClient,
} from '../../zygote/index.ts';
import type { Mask } from '../logs/index.ts';
import type { GenerationFiles } from './folder.ts';

/**
 * `adopting`: left by a former daemon, and nothing has been heard of it yet. `starting`: loads its bootstrap.
 * `serving`, `draining`: as told. `gone`: its process has ended.
 */
export type GenerationState = 'adopting' | 'starting' | 'serving' | 'draining' | 'gone';

const OUTPUT_SHOWN_BYTES = 16_384;
const RECONNECT_FIRST_MS = 20;
const RECONNECT_MAX_MS = 5_000;
/** A zygote that has loaded answers at once; one that does not is stopped, or somebody else holds its socket. */
const HELLO_MS = 10_000;
/** So long without a session is more than a busy moment. */
const SILENT_MS = 10_000;
const SIGKILL = 9;

export interface GenerationListener {
  onRun(generation: Generation, event: RunEvent): void;
  /** A session with a zygote that is not new: of these runs that were given to it it knows nothing. */
  onResumed(generation: Generation, missing: readonly RunKey[]): void;
  /** There has been no session for long, or no answer, though its process lives. */
  onSilent(generation: Generation): void;
  /** The zygote has ended; what it knew and had not told is gone with it. Called once. */
  onGone(generation: Generation): void;
}

export interface GenerationOptions {
  readonly files: GenerationFiles;
  readonly startedMs: number;
  readonly log: Logger;
  /** Hides secrets in what a zygote has printed, before anybody is told. */
  readonly mask: Mask;
  readonly nextSession: () => Promise<number>;
  readonly listener: GenerationListener;
}

/** One zygote of a pool, over all sessions with it. */
export class Generation {
  readonly number: number;
  readonly files: GenerationFiles;
  readonly startedMs: number;
  /** Runs that were given to it and whose outcome it still has to tell. */
  readonly runs = new Set<RunKey>();
  state: GenerationState;
  /** Its process, as we have started it or noted it; never what the zygote says of itself: user code runs in it. */
  process: ProcessName | null = null;
  readonly #options: GenerationOptions;
  #client: ZygoteClient | null = null;
  #detached = false;
  /** Its answer is being waited for. */
  #asked = false;
  /** News that wait: the pool does not know the session yet, or a takeover is near. */
  #held: RunEvent[] = [];
  #isTakenIn = false;
  #isOnHold = false;
  readonly #abort = new AbortController();
  readonly #sessionWaiters = new Set<() => void>();

  constructor(state: 'adopting' | 'starting', options: GenerationOptions) {
    this.state = state;
    this.number = options.files.number;
    this.files = options.files;
    this.startedMs = options.startedMs;
    this.#options = options;
  }

  /** The session, or null while there is none. */
  get client(): ZygoteClient | null {
    return this.#client;
  }

  /** The session, as soon as there is one; null when the zygote is gone. */
  async session(): Promise<ZygoteClient | null> {
    while (this.#client === null && !this.#detached) {
      await new Promise<void>((resolve) => this.#sessionWaiters.add(resolve));
    }
    return this.#client;
  }

  /**
   * Starts the zygote and waits until it has loaded, passed inspection and forked a probe child.
   * Throws `bootstrap_failed` with what it printed; nothing of it is left then.
   * @param started is told the process as soon as there is one
   */
  async boot(
    options: LaunchOptions,
    limits: { readonly bootTimeoutMs: number; readonly allow: readonly string[] },
    started: (process: ProcessName) => void,
  ): Promise<void> {
    let child: ChildProcess | null = null;
    const done = new AbortController();
    const { signal } = done;
    try {
      child = launch(options);
      const died = deathOf(child, signal);
      this.process = child.pid === undefined ? null : nameOf(child.pid);
      if (this.process !== null) started(this.process);
      const booted = this.#prove(options, limits.allow).catch((error: Error) => preferDeath(error, signal));
      await Promise.race([booted, died, timeout(limits.bootTimeoutMs, signal), abortOf(this.#abort.signal)]);
    } catch (error) {
      this.#discard(child);
      const { mask } = this.#options;
      const message = (error as Error).message;
      const shown = mask.text(message);
      throw new RocksyError('bootstrap_failed', `pool ${options.config.pool}: ${shown}`, {
        // A cause is logged too.
        ...(shown === message ? { cause: error } : {}),
        output: tail(this.files.bootLog, mask),
        hint: `the whole output stands in ${this.files.bootLog}`,
      });
    } finally {
      done.abort();
    }
  }

  async #prove(options: LaunchOptions, allow: readonly string[]): Promise<void> {
    const hello = await this.#connect(0);
    // One that starts processes has nothing of the user's that they would share.
    if (options.runtime !== 'command' && options.fork) this.#inspect(hello, options.runtime, allow);
    const probe = await this.#client?.probe();
    if (probe?.ok !== true)
      throw new Error(`the probe child failed: ${probe?.message ?? 'the session ended'}`);
  }

  #inspect(hello: HelloEvent, runtime: Exclude<RuntimeName, 'command'>, allow: readonly string[]): void {
    if (this.process === null) return;
    const findings = notAllowed(inspect(this.process.pid, hello, runtime), allow);
    if (findings.length === 0) return;
    const messages = findings.map(({ message }) => message).join('\n');
    throw new Error(`${messages}\n(if it is harmless: ${allowed(findings)})`);
  }

  /** Gives up a start that is under way. */
  abort(): void {
    this.#abort.abort(new Error('the daemon stops'));
  }

  #discard(child: ChildProcess | null): void {
    this.#leave('gone');
    if (child !== null && child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  }

  /** Passes on what the zygote has told so far, and from now on at once. The pool calls it when it knows the generation. */
  takeIn(): void {
    this.#isTakenIn = true;
    if (!this.#isOnHold) this.#passOn();
  }

  #passOn(): void {
    const held = this.#held;
    this.#held = [];
    for (const event of held) this.#options.listener.onRun(this, event);
  }

  /** Keeps the zygote's news back, or no longer: in a takeover a successor will hear them, or we will. */
  hold(on: boolean): void {
    this.#isOnHold = on;
    if (!on && this.#isTakenIn) this.#passOn();
  }

  /** Of the runs that were given to it, those of which the session that was just begun tells nothing. */
  get untold(): RunKey[] {
    const told = new Set<string>(this.#held.map((event) => event.key));
    return [...this.runs].filter((key) => !told.has(key));
  }

  /**
   * Connects to a zygote of before, for as long as it takes. Resolves when there is a session (the news in it are held
   * until `takeIn`), or when the zygote is gone, or has been left.
   */
  async adopt(): Promise<void> {
    await this.#dial('adopt');
  }

  /** Begins a session on this generation's socket. Rejects when nobody answers on it. */
  async #connect(helloMs: number): Promise<HelloEvent> {
    const session = await this.#options.nextSession();
    let established = false;
    this.#held = [];
    this.#isTakenIn = false;
    const { client, hello } = await ZygoteClient.connect(
      dialable(this.files.socket),
      session,
      {
        onRun: (event) => {
          if (this.#isTakenIn && !this.#isOnHold) this.#options.listener.onRun(this, event);
          else this.#held.push(event);
        },
        // A session that ends before its hello is the rejection of this call.
        onClose: () => established && this.#lostSession(),
      },
      helloMs,
    );
    if (this.#detached) {
      client.close();
      throw new Error('the session is not wanted any more');
    }
    established = true;
    this.#client = client;
    this.#wakeSessionWaiters();
    return hello;
  }

  /**
   * Asks the zygote for a word. One that has none for long is stopped (SIGSTOP), or hangs: that is told as silence.
   * A session that ends over it is dialled again, which has patience of its own.
   */
  async askForWord(): Promise<void> {
    const client = this.#client;
    if (client === null || this.#asked) return;
    this.#asked = true;
    const done = new AbortController();
    void this.#tellSilence(done.signal);
    // A session that ends meanwhile is told by its own end; what is asked here is only whether anybody answers.
    await Promise.allSettled([client.stats()]);
    done.abort();
    this.#asked = false;
  }

  async #tellSilence(signal: AbortSignal): Promise<void> {
    try {
      // Two waits: when this process or the whole machine was asleep, only one of them is over at once.
      await wait(SILENT_MS / 2, undefined, { signal, ref: false });
      await wait(SILENT_MS / 2, undefined, { signal, ref: false });
    } catch {
      // It has answered.
      return;
    }
    if (!this.#detached) this.#options.listener.onSilent(this);
  }

  /** Tells the zygote to end when its last run has. */
  drain(): void {
    if (this.state === 'gone') return;
    this.state = 'draining';
    this.#client?.drain();
  }

  /** Ends the zygote at once. Its runs go on; their outcomes are the keeper's to tell. */
  kill(): void {
    if (this.process !== null) signalProcess(this.process, SIGKILL);
  }

  /** Lets go of the zygote without a word to it: it lives on for the next daemon. */
  leave(): void {
    this.#leave(this.state);
  }

  rssBytes(): number | null {
    if (this.process === null) return null;
    try {
      const pages = Number(fs.readFileSync(`/proc/${this.process.pid}/statm`, 'utf8').split(' ')[1]);
      return pages * 4096;
    } catch {
      // It has just ended; onGone follows.
      return null;
    }
  }

  #leave(state: GenerationState): void {
    this.#detached = true;
    this.state = state;
    this.#client?.close();
    this.#client = null;
    this.#abort.abort(new Error('left'));
    this.#wakeSessionWaiters();
  }

  #wakeSessionWaiters(): void {
    for (const wake of this.#sessionWaiters) wake();
    this.#sessionWaiters.clear();
  }

  #lostSession(): void {
    this.#client = null;
    if (!this.#detached) void this.#dial('resume');
  }

  async #dial(way: 'adopt' | 'resume'): Promise<void> {
    const { log, listener } = this.#options;
    const sinceMs = Date.now();
    for (
      let delayMs = RECONNECT_FIRST_MS;
      !this.#detached;
      delayMs = Math.min(delayMs * 2, RECONNECT_MAX_MS)
    ) {
      try {
        const hello = await this.#connect(HELLO_MS);
        if (hello.draining || this.state === 'draining') this.drain();
        else if (way === 'adopt') this.state = 'serving';
        if (way === 'resume') this.#resume();
        return;
      } catch (error) {
        if (this.#detached) return;
        if (isGone(error) || (this.process !== null && !isAlive(this.process))) {
          this.#leave('gone');
          listener.onGone(this);
          return;
        }
        log.warn({ generation: this.number, err: error }, 'no session with a zygote; trying again');
        if (Date.now() - sinceMs > SILENT_MS) listener.onSilent(this);
        // The wait ends early, without harm, when the generation is left.
        await Promise.allSettled([wait(delayMs, undefined, { signal: this.#abort.signal, ref: false })]);
      }
    }
  }

  #resume(): void {
    const missing = this.untold;
    this.takeIn();
    this.#options.listener.onResumed(this, missing);
  }
}

function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ECONNREFUSED' || code === 'ENOENT';
}

/** sun_path holds 107 bytes; a longer path is dialled through a descriptor of its folder, which stays open meanwhile. */
function dialable(socket: string): string {
  if (Buffer.byteLength(socket) <= 107) return socket;
  const at = socket.lastIndexOf('/');
  const folder = socket.slice(0, at);
  let descriptor = openFolders.get(folder);
  if (descriptor === undefined) {
    descriptor = fs.openSync(folder, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
    openFolders.set(folder, descriptor);
  }
  return `/proc/self/fd/${descriptor}${socket.slice(at)}`;
}

/** One descriptor for each pool whose folder has a long path, for as long as the process lives. */
const openFolders = new Map<string, number>();

function deathOf(child: ChildProcess, signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const onError = (error: Error): void => reject(error);
    const onExit = (code: number | null, by: string | null): void =>
      reject(
        new Error(`the zygote ended ${by === null ? `with code ${code}` : `by ${by}`} before it was ready`),
      );
    child.once('error', onError);
    child.once('exit', onExit);
    signal.addEventListener('abort', () => child.off('exit', onExit), { once: true });
  });
}

/** A session that fails because the zygote dies is less of a reason than its death, which is about to be known. */
async function preferDeath(error: Error, signal: AbortSignal): Promise<never> {
  await wait(1000, undefined, { signal });
  throw error;
}

async function timeout(ms: number, signal: AbortSignal): Promise<never> {
  await wait(ms, undefined, { signal });
  throw new Error(`the bootstrap was not done after boot_timeout (${ms} ms)`);
}

function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

/** The last of what the zygote printed. */
function tail(file: string, mask: Mask): string {
  try {
    const bytes = fs.readFileSync(file);
    return mask.apply(bytes, Math.max(0, bytes.length - OUTPUT_SHOWN_BYTES), bytes.length).toString();
  } catch (error) {
    return `(${(error as Error).message})`;
  }
}
