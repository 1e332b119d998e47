import type { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { kill } from '../../posix/index.ts';
import { RocksyError, type RunKey } from '../../wire/index.ts';
import {
  type HelloEvent,
  inspect,
  type LaunchOptions,
  launch,
  notAllowed,
  type RunEvent,
  ZygoteClient,
} from '../../zygote/index.ts';
import type { GenerationFiles } from './folder.ts';

export type GenerationState = 'starting' | 'serving' | 'draining' | 'gone';

/** Threads that a runtime itself has: PHP one; Node's own zygote is not inspected, it loads nothing of the user's. */
const KNOWN_THREADS = 1;
const OUTPUT_SHOWN_BYTES = 16_384;
const RECONNECT_MS = 100;

export interface GenerationListener {
  onRun(generation: Generation, event: RunEvent): void;
  /** A new session with the same zygote: it never got these runs that were written to the former one. */
  onResumed(generation: Generation, missing: readonly RunKey[]): void;
  /** The zygote has ended; what it knew and had not told is gone with it. Called once. */
  onGone(generation: Generation): void;
}

/** One zygote of a pool, over all sessions with it. */
export class Generation {
  readonly number: number;
  readonly files: GenerationFiles;
  readonly startedMs: number;
  /** Runs that were given to it and whose outcome it still has to tell. */
  readonly runs = new Set<RunKey>();
  state: GenerationState = 'starting';
  pid: number | null = null;
  readonly #listener: GenerationListener;
  readonly #nextSession: () => Promise<number>;
  #client: ZygoteClient | null = null;
  #detached = false;
  /** Runs that the zygote told of before its hello: all that it knows. */
  readonly #told = new Set<string>();

  constructor(
    files: GenerationFiles,
    startedMs: number,
    nextSession: () => Promise<number>,
    listener: GenerationListener,
  ) {
    this.number = files.number;
    this.files = files;
    this.startedMs = startedMs;
    this.#nextSession = nextSession;
    this.#listener = listener;
  }

  /** The session, or null while there is none. */
  get client(): ZygoteClient | null {
    return this.#client;
  }

  /**
   * Starts the zygote and waits until it has loaded, passed inspection and forked a probe child.
   * Throws `bootstrap_failed` with what it printed; nothing of it is left then.
   */
  async boot(options: LaunchOptions, bootTimeoutMs: number, allow: readonly string[]): Promise<void> {
    const child = launch(options);
    const abort = new AbortController();
    try {
      const hello = await Promise.race([
        this.connect().catch((error: Error) => preferDeath(error, abort.signal)),
        deathOf(child, abort.signal),
        timeout(bootTimeoutMs, abort.signal),
      ]);
      this.#check(options, hello, allow);
      const probe = await this.#client?.probe();
      if (probe?.ok !== true)
        throw new Error(`the probe child failed: ${probe?.message ?? 'the session ended'}`);
    } catch (error) {
      this.#discard(child);
      const output = tail(this.files.bootLog);
      throw new RocksyError('bootstrap_failed', `pool ${options.config.pool}: ${(error as Error).message}`, {
        cause: error,
        output,
        hint: `the whole output stands in ${this.files.bootLog}`,
      });
    } finally {
      abort.abort();
    }
  }

  #check(options: LaunchOptions, hello: HelloEvent, allow: readonly string[]): void {
    if (options.config.bootstrap === undefined) return;
    const findings = notAllowed(inspect(hello.pid, new Set(hello.descriptors), KNOWN_THREADS), allow);
    if (findings.length === 0) return;
    const names = findings.map((finding) => finding.name).join(', ');
    throw new Error(
      `${findings.map((finding) => finding.message).join('; ')} (if it is harmless: allow: [${names}])`,
    );
  }

  /** The session is made by hand here: one that ends before the generation serves is no news to the pool. */
  #discard(child: ChildProcess): void {
    this.#detached = true;
    this.state = 'gone';
    this.#client?.close();
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  }

  /** Begins a session with the zygote that listens on this generation's socket. Rejects when nobody does. */
  async connect(): Promise<HelloEvent> {
    const session = await this.#nextSession();
    let established = false;
    this.#told.clear();
    const { client, hello } = await ZygoteClient.connect(dialable(this.files.socket), session, {
      onRun: (event) => {
        if (!established) this.#told.add(event.key);
        this.#listener.onRun(this, event);
      },
      // A session that ends before its hello is the rejection of this call.
      onClose: () => established && this.#lostSession(),
    });
    established = true;
    this.#client = client;
    this.pid = hello.pid;
    return hello;
  }

  /** Tells the zygote to end when its last run has. */
  drain(): void {
    if (this.state === 'gone') return;
    this.state = 'draining';
    this.#client?.drain();
  }

  /** Ends the zygote at once. Its runs go on; their outcomes are the keeper's to tell. */
  kill(): void {
    if (this.pid !== null && this.state !== 'gone') kill(this.pid, 9);
  }

  /** Lets go of the zygote without a word to it: it lives on for the next daemon. */
  leave(): void {
    this.#detached = true;
    this.#client?.close();
  }

  rssBytes(): number | null {
    if (this.pid === null) return null;
    try {
      const pages = Number(fs.readFileSync(`/proc/${this.pid}/statm`, 'utf8').split(' ')[1]);
      return pages * 4096;
    } catch {
      // It has just ended; onGone follows.
      return null;
    }
  }

  #lostSession(): void {
    this.#client = null;
    if (this.#detached) return;
    void this.#reconnect();
  }

  async #reconnect(): Promise<void> {
    while (!this.#detached) {
      try {
        await this.connect();
        if (this.state === 'draining') this.drain();
        this.#listener.onResumed(
          this,
          [...this.runs].filter((key) => !this.#told.has(key)),
        );
        return;
      } catch (error) {
        if (isGone(error)) {
          this.state = 'gone';
          this.#detached = true;
          this.#listener.onGone(this);
          return;
        }
        await wait(RECONNECT_MS);
      }
    }
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

/** The last of what the zygote printed. */
function tail(file: string): string {
  try {
    const text = fs.readFileSync(file);
    return text.subarray(-OUTPUT_SHOWN_BYTES).toString();
  } catch (error) {
    return `(${(error as Error).message})`;
  }
}
