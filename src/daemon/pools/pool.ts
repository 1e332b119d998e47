import fs from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import {
  type GenerationView,
  type PoolView,
  RocksyError,
  type RunFile,
  type RunKey,
} from '../../wire/index.ts';
import {
  type Account,
  CONTRACT_VERSION,
  type LaunchOptions,
  type RunEvent,
  type StartSpec,
} from '../../zygote/index.ts';
import type { PoolConfig } from '../config/index.ts';
import { lookUpAccount } from './accounts.ts';
import { fingerprint, PoolFolder } from './folder.ts';
import { Generation } from './generation.ts';

/** How many generations may be draining at once; each holds a framework in memory. */
const MAX_DRAINING = 10;
const RECYCLE_CHECK_MS = 5_000;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 30_000;
/** How long a start waits for a zygote of before to say hello; a slower one is still waited for, beside. */
const ADOPT_MS = 5_000;

/** A run on its way to a zygote. */
export interface Launchable {
  readonly key: RunKey;
  readonly file: RunFile;
  readonly spec: StartSpec;
}

/** What a pool tells the runs' registry. */
export interface PoolListener {
  /** A zygote is being asked to start this run. False: the run is not wanted any more. */
  onSend(key: RunKey, generation: number): boolean;
  onRun(pool: Pool, generation: Generation, event: RunEvent): void;
  /** A zygote is gone; nobody vouches for these runs of it. */
  onUnvouched(pool: Pool, keys: readonly RunKey[]): void;
}

export interface PoolOptions {
  readonly config: PoolConfig;
  readonly state: string;
  readonly cwd: string;
  readonly log: Logger;
  readonly nextSession: () => Promise<number>;
  readonly listener: PoolListener;
}

/** A named runtime environment: its generations, and the queue of runs that wait for one. */
export class Pool {
  readonly config: PoolConfig;
  readonly folder: PoolFolder;
  readonly #cwd: string;
  readonly #log: Logger;
  readonly #nextSession: () => Promise<number>;
  readonly #listener: PoolListener;
  readonly #account: Account | null;
  /** Oldest first. The serving one, if any, and those that drain. */
  readonly #generations: Generation[] = [];
  readonly #queue: Launchable[] = [];
  /** Runs that have been given to a zygote and whose end is not known. */
  readonly #active = new Set<RunKey>();
  #problem: string | null = null;
  #starting: Promise<Generation> | null = null;
  /** A pool that the configuration no longer has is never served, only drained. */
  #wanted = false;
  #closed = false;
  #draining = false;
  readonly #recycle: NodeJS.Timeout;
  readonly #abort = new AbortController();

  constructor(options: PoolOptions) {
    this.config = options.config;
    this.#cwd = options.cwd;
    this.#log = options.log.child({ pool: options.config.name });
    this.#nextSession = options.nextSession;
    this.#listener = options.listener;
    this.#account = options.config.user === null ? null : lookUpAccount(options.config.user);
    this.folder = new PoolFolder(options.state, options.config.name);
    this.folder.create(this.#account);
    this.#recycle = setInterval(() => this.#recycleWhenDue(), RECYCLE_CHECK_MS).unref();
  }

  get name(): string {
    return this.config.name;
  }

  /** A file in the `runs` folder, which belongs to the pool's user. */
  ownFile(name: string): { folder: string; name: string; ownerUid: number } {
    return { folder: this.folder.runs, name, ownerUid: this.#account?.uid ?? process.getuid?.() ?? 0 };
  }

  get #serving(): Generation | undefined {
    return this.#generations.findLast((generation) => generation.state === 'serving');
  }

  get full(): boolean {
    return this.#queue.length >= this.config.queue;
  }

  /** Takes up the zygotes that a former daemon left. Their runs' news come before this resolves. */
  async adopt(): Promise<void> {
    const found = this.folder.withSocket();
    await Promise.all(found.map((files) => this.#adoptOne(files.number)));
    this.#generations.sort((a, b) => a.number - b.number);
    // Only the newest may go on serving, and only if it was started by the very configuration that is in force.
    const current = fingerprint(this.#launchOptions(0));
    for (const [index, generation] of this.#generations.entries()) {
      const newest = index === this.#generations.length - 1;
      const same = this.folder.readNote(generation.files)?.fingerprint === current;
      if (generation.state === 'serving' && !(newest && same)) generation.drain();
    }
  }

  async #adoptOne(number: number): Promise<void> {
    const files = this.folder.files(number);
    const startedMs = this.folder.readNote(files)?.startedMs ?? Date.now();
    const generation = this.#generation(number, startedMs);
    const connected = generation.connect().then(
      (hello) => {
        generation.state = hello.draining ? 'draining' : 'serving';
        this.#generations.push(generation);
        this.#log.info({ generation: number, pid: hello.pid }, 'found a zygote of before');
      },
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT') {
          this.#log.warn({ generation: number, err: error }, 'a zygote of before does not answer');
        }
        this.folder.remove(files);
      },
    );
    await Promise.race([connected, wait(ADOPT_MS, undefined, { ref: false })]);
  }

  /** Sees to it that a generation serves; keeps trying, with back-off, when the bootstrap fails. */
  async serve(): Promise<void> {
    this.#wanted = true;
    let delayMs = RETRY_FIRST_MS;
    while (!this.#closed && this.#serving === undefined) {
      try {
        await this.#startGeneration();
      } catch (error) {
        this.#log.error(
          { err: error, output: error instanceof RocksyError ? error.output : undefined },
          'the pool does not serve',
        );
        await wait(delayMs, undefined, { signal: this.#abort.signal, ref: false }).catch(() => undefined);
        delayMs = Math.min(delayMs * 2, RETRY_MAX_MS);
      }
    }
  }

  /**
   * Starts the next generation beside the serving one, and lets that drain once the new one serves.
   * Throws `bootstrap_failed`; the old one serves on then.
   */
  async reload(): Promise<number> {
    // Whoever asks while a start is under way may have changed the code since it began: that one counts for nothing.
    while (this.#starting !== null) await this.#starting.catch(() => undefined);
    const draining = this.#generations.filter((generation) => generation.state === 'draining').length;
    if (draining >= MAX_DRAINING) {
      throw new RocksyError(
        'pool_unavailable',
        `${draining} generations of pool ${this.name} are draining already`,
        {
          hint: 'wait until their runs have ended, or cancel them',
        },
      );
    }
    const generation = await this.#startGeneration();
    this.#draining = false;
    return generation.number;
  }

  #startGeneration(): Promise<Generation> {
    this.#starting ??= this.#bootGeneration().finally(() => {
      this.#starting = null;
    });
    return this.#starting;
  }

  async #bootGeneration(): Promise<Generation> {
    const number = this.folder.nextNumber();
    const startedMs = Date.now();
    const generation = this.#generation(number, startedMs);
    const options = this.#launchOptions(number);
    try {
      this.folder.writeNote(generation.files, {
        fingerprint: fingerprint(this.#launchOptions(0)),
        startedMs,
      });
      await generation.boot(options, this.config.bootTimeoutMs, this.config.allow);
    } catch (error) {
      this.#problem = (error as Error).message;
      this.folder.remove(generation.files);
      throw error;
    }
    if (this.#closed) {
      generation.kill();
      throw new RocksyError('stopping', 'The daemon stops');
    }
    this.#problem = null;
    const old = this.#serving;
    generation.state = 'serving';
    this.#generations.push(generation);
    old?.drain();
    this.#log.info(
      { generation: number, pid: generation.pid, ms: Date.now() - startedMs },
      'a generation serves',
    );
    this.dispatch();
    return generation;
  }

  #generation(number: number, startedMs: number): Generation {
    return new Generation(this.folder.files(number), startedMs, this.#nextSession, {
      onRun: (generation, event) => this.#onRun(generation, event),
      onResumed: (generation, missing) => this.#unvouched(generation, missing),
      onGone: (generation) => this.#onGone(generation),
    });
  }

  #launchOptions(number: number): LaunchOptions {
    const { config } = this;
    // Release symlinks are resolved once a generation, so that old framework and new classes never mix.
    const bootstrap = config.bootstrap === null ? null : fs.realpathSync(config.bootstrap);
    const files = this.folder.files(number);
    return {
      runtime: config.runtime,
      interpreter: config.interpreter,
      args: config.args,
      account: this.#account,
      group: config.group,
      nice: config.nice,
      rlimits: config.rlimits,
      env: config.env,
      cwd: this.#cwd,
      socketPath: files.socket,
      bootLog: files.bootLog,
      config: {
        version: CONTRACT_VERSION,
        pool: config.name,
        generation: number,
        ...(bootstrap === null ? {} : { bootstrap }),
        runs: this.folder.runs,
        prefork: config.prefork,
        claim_timeout_ms: config.claimTimeoutMs,
        leave_children: config.leaveChildren,
      },
    };
  }

  /** Throws where a new run can't even wait here. */
  admit(): void {
    if (this.#closed) throw new RocksyError('stopping', 'The daemon stops');
    if (this.#draining) throw new RocksyError('draining', `Pool ${this.name} takes no new runs`);
    if (this.#serving === undefined && this.#problem !== null) {
      throw new RocksyError('pool_unavailable', `Pool ${this.name} does not serve: ${this.#problem}`);
    }
    if (this.#queue.length > 0 && this.full) {
      throw new RocksyError(
        'queue_full',
        `${this.#active.size} runs are going and ${this.#queue.length} are waiting in pool ${this.name}`,
      );
    }
  }

  /** Whether a run that is put in the queue now has to wait there. */
  get waits(): boolean {
    return this.#queue.length > 0 || this.#active.size >= this.config.maxRunning || !this.#serving?.client;
  }

  enqueue(run: Launchable): void {
    this.#queue.push(run);
    this.dispatch();
  }

  /** Takes a run out of the queue; false when it is not there. */
  withdraw(key: RunKey): boolean {
    const index = this.#queue.findIndex((run) => run.key === key);
    if (index < 0) return false;
    this.#queue.splice(index, 1);
    return true;
  }

  dispatch(): void {
    if (this.#closed) return;
    const generation = this.#serving;
    const client = generation?.client;
    if (generation === undefined || !client) return;
    while (this.#queue.length > 0 && this.#active.size < this.config.maxRunning) {
      const run = this.#queue.shift();
      if (run === undefined || !this.#listener.onSend(run.key, generation.number)) continue;
      this.#active.add(run.key);
      generation.runs.add(run.key);
      client.start(run.key, run.file, run.spec);
    }
  }

  #onRun(generation: Generation, event: RunEvent): void {
    this.#active.add(event.key as RunKey);
    generation.runs.add(event.key as RunKey);
    this.#listener.onRun(this, generation, event);
  }

  /** The run's end is safe in the journal, or the run is not this pool's any more: its place is free. */
  release(key: RunKey): void {
    for (const generation of this.#generations) {
      if (!generation.runs.delete(key)) continue;
      generation.client?.acknowledge(key);
    }
    if (this.#active.delete(key)) this.dispatch();
  }

  /** The generation that vouches for a run. */
  holder(key: RunKey): Generation | undefined {
    return this.#generations.find((generation) => generation.runs.has(key));
  }

  /** Runs that go on without a zygote count towards `max_running` too. */
  hold(key: RunKey): void {
    this.#active.add(key);
  }

  #onGone(generation: Generation): void {
    const index = this.#generations.indexOf(generation);
    if (index < 0) return;
    this.#generations.splice(index, 1);
    this.folder.remove(generation.files);
    this.#log.info({ generation: generation.number, runs: generation.runs.size }, 'a zygote has ended');
    this.#unvouched(generation, [...generation.runs]);
    if (this.#serving === undefined && this.#wanted) void this.serve();
  }

  #unvouched(generation: Generation, keys: readonly RunKey[]): void {
    for (const key of keys) generation.runs.delete(key);
    this.#listener.onUnvouched(this, keys);
    this.dispatch();
  }

  /** The pool's process ids that are no run's: its zygotes. */
  zygotePids(): number[] {
    return this.#generations.flatMap((generation) => generation.pid ?? []);
  }

  setDraining(on: boolean): void {
    this.#draining = on;
  }

  #recycleWhenDue(): void {
    const serving = this.#serving;
    if (serving === undefined || this.#starting !== null || this.#closed) return;
    const { maxAgeMs, maxMemoryBytes } = this.config;
    const tooOld = maxAgeMs !== null && Date.now() - serving.startedMs > maxAgeMs;
    const tooBig = maxMemoryBytes !== null && (serving.rssBytes() ?? 0) > maxMemoryBytes;
    if (!tooOld && !tooBig) return;
    this.#log.info(
      { generation: serving.number, reason: tooOld ? 'max_age' : 'max_memory' },
      'the zygote is renewed',
    );
    this.reload().catch((error: unknown) =>
      this.#log.error({ err: error }, 'the zygote could not be renewed'),
    );
  }

  /** No more starts. Zygotes are told to end when their runs have; or, with `leave`, are left to the next daemon. */
  close(zygotes: 'drain' | 'leave'): void {
    this.#closed = true;
    this.#wanted = false;
    this.#abort.abort();
    clearInterval(this.#recycle);
    for (const generation of this.#generations) {
      if (zygotes === 'drain') generation.drain();
      else generation.leave();
    }
  }

  /** Resolves when no zygote is left, or after `ms`; those that are left then are killed. */
  async ended(ms: number): Promise<void> {
    const until = Date.now() + ms;
    while (this.#generations.length > 0 && Date.now() < until) await wait(10);
    for (const generation of this.#generations) generation.kill();
  }

  view(): Omit<PoolView, 'default'> {
    const serving = this.#serving;
    return {
      name: this.name,
      runtime: this.config.runtime,
      state: this.#draining
        ? 'draining'
        : serving !== undefined
          ? 'serving'
          : this.#problem !== null
            ? 'unavailable'
            : 'starting',
      problem: this.#problem,
      queued: this.#queue.length,
      running: this.#active.size,
      max_running: this.config.maxRunning,
      generations: this.#generations.map(
        (generation): GenerationView => ({
          number: generation.number,
          state: generation.state === 'gone' ? 'draining' : generation.state,
          pid: generation.pid,
          running: generation.runs.size,
          started_ms: generation.startedMs,
          rss_bytes: generation.rssBytes(),
        }),
      ),
    };
  }
}
