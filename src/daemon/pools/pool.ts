import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { signalProcess } from '../../posix/index.ts';
import { type GenerationView, type PoolView, RocksyError, type RunKey } from '../../wire/index.ts';
import type { Account, RunEvent } from '../../zygote/index.ts';
import { type PoolConfig, shortWarning } from '../config/index.ts';
import type { Mask } from '../logs/index.ts';
import { lookUpAccount } from './accounts.ts';
import { hasSecretSources, type PoolEnvironment, readEnvironment } from './environment.ts';
import { fingerprint, type GenerationFiles, PoolFolder } from './folder.ts';
import { Generation } from './generation.ts';
import { KnownSecrets } from './known-secrets.ts';
import { launchOptionsOf } from './launch.ts';
import { type Launchable, RunQueue } from './queue.ts';

/** How many generations may be draining at once; each holds a framework in memory. */
const MAX_DRAINING = 10;
/** How often the serving zygote is looked after. */
const CHECK_MS = 5_000;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 30_000;
/** A zygote that lived shorter than this counts as a failed start: the next one waits its turn. */
const STABLE_MS = 30_000;

/** What a pool tells the runs' registry. */
export interface PoolListener {
  /** A zygote is being asked to start this run. False: the run is not wanted any more. */
  onSend(key: RunKey, generation: number): boolean;
  /** Whether the registry waits for news of this run from this pool. What a zygote says of others is passed over. */
  expects(pool: Pool, key: RunKey): boolean;
  onRun(pool: Pool, generation: Generation, event: RunEvent): void;
  /** Nobody vouches for these runs any more: their zygote is gone, or knows nothing of them. */
  onUnvouched(pool: Pool, keys: readonly RunKey[]): void;
}

export interface PoolOptions {
  readonly config: PoolConfig;
  readonly state: string;
  readonly cwd: string;
  readonly log: Logger;
  readonly mask: Mask;
  readonly nextSession: () => Promise<number>;
  readonly listener: PoolListener;
  readonly onFailedStart: OnFailedStart;
}

/** Nothing serves, or not what the configuration says, and a start has failed that nobody has asked for. */
export type OnFailedStart = (pool: Pool, failure: RocksyError) => 'try_again' | 'leave_it';

/** A named runtime environment: its generations, and the queue of runs that wait for one. */
export class Pool {
  readonly config: PoolConfig;
  readonly folder: PoolFolder;
  readonly #options: PoolOptions;
  readonly #log: Logger;
  readonly #account: Account | null;
  readonly #ownerUid: number;
  readonly #fingerprint: string;
  readonly #secrets: KnownSecrets;
  /** Oldest first. The serving one, if any, those that drain, and those of a former daemon that have not answered yet. */
  #generations: Generation[] = [];
  readonly #queue = new RunQueue();
  /** Runs that have been given to a zygote and whose end is not known. */
  readonly #active = new Set<RunKey>();
  #problem: string | null = null;
  #booting: { readonly generation: Generation; readonly done: Promise<Generation> } | null = null;
  #serveLoop: Promise<void> | null = null;
  #retryMs = 0;
  /** A pool that the configuration no longer has is never served, only drained. */
  #wanted = false;
  #closed = false;
  #draining = false;
  #isHoldingRuns = false;
  #noRecycleUntilMs = 0;
  readonly #checks: NodeJS.Timeout;
  readonly #abort = new AbortController();

  constructor(options: PoolOptions) {
    const { config } = options;
    this.config = config;
    this.#options = options;
    this.#log = options.log.child({ pool: config.name });
    this.#account = config.user === null ? null : lookUpAccount(config.user);
    this.folder = new PoolFolder(options.state, config.name);
    this.#ownerUid = this.folder.create(this.#account);
    this.#secrets = new KnownSecrets(config.name, this.folder, options.mask, this.#log);
    // The bootstrap counts by its path as configured: a release link that has moved asks for a reload, not for a restart.
    const {
      maxRunning,
      queue,
      maxAgeMs,
      maxMemoryBytes,
      bootTimeoutMs,
      timeoutMs,
      killAfterMs,
      allowEnv,
      envFiles,
      secrets,
      ...started
    } = config;
    // Secrets count by where they come from, and not at all where there are none: as in releases that knew none.
    const sources = hasSecretSources(config) ? { envFiles, secrets } : {};
    this.#fingerprint = fingerprint({ ...started, ...sources, account: this.#account });
    this.#checks = setInterval(() => this.#check(), CHECK_MS).unref();
  }

  get name(): string {
    return this.config.name;
  }

  /** A file in the `runs` folder, which belongs to the pool's user. */
  ownFile(name: string): { folder: string; name: string; ownerUid: number } {
    return { folder: this.folder.runs, name, ownerUid: this.#ownerUid };
  }

  get #serving(): Generation | undefined {
    return this.#generations.findLast((generation) => generation.state === 'serving');
  }

  /** Whether all zygotes that could know something of a run have a session, so that silence means ignorance. */
  get allHeard(): boolean {
    return this.#generations.every((generation) => generation.client !== null) && this.#booting === null;
  }

  /**
   * Takes up the zygotes that a former daemon left. Resolves when each has told its runs' news, or is gone; one that is
   * silent is waited for, however long.
   * @param given runs that a predecessor has given to generations, by their numbers: they are asked about them, and until
   * they have answered are held to have them
   */
  async adopt(given: ReadonlyMap<number, readonly RunKey[]> = new Map()): Promise<void> {
    this.#secrets.recall();
    const adopted = this.folder
      .withSocket()
      .map((files) => this.#adoptOne(files, given.get(files.number) ?? []));
    await Promise.all(adopted);
  }

  async #adoptOne(files: GenerationFiles, given: readonly RunKey[]): Promise<void> {
    const note = this.folder.readNote(files);
    if (note === null || !note.proved) {
      // It was being started: it has begun no run, and has passed no inspection.
      if (note !== null) signalProcess(note.process, 9);
      this.#removeFiles(files);
      return;
    }
    const generation = this.#newGeneration('adopting', files, note.startedMs);
    generation.process = note.process;
    this.#generations.push(generation);
    for (const key of given) {
      generation.runs.add(key);
      this.#active.add(key);
    }
    await generation.adopt();
    if (generation.client === null) return;
    this.#log.info({ generation: files.number, pid: note.process.pid }, 'found a zygote of before');
    this.#drainOlder();
    const { untold } = generation;
    generation.takeIn();
    this.#unvouched(generation, untold);
  }

  /** Keeps all news of runs back, for a successor, or lets them come again. */
  holdNews(on: boolean): void {
    for (const generation of this.#generations) generation.hold(on);
  }

  /** Of several that serve the newest goes on. */
  #drainOlder(): void {
    const newest = this.#serving;
    for (const generation of this.#generations) {
      if (generation.state === 'serving' && (generation !== newest || this.#isRetired)) generation.drain();
    }
  }

  get #isRetired(): boolean {
    return this.config.maxRunning === 0;
  }

  /** Sees to it that a generation of the present configuration serves, now and from now on. */
  serve(): void {
    this.#wanted = true;
    this.#serveLoop ??= this.#keepServing().finally(() => {
      this.#serveLoop = null;
    });
  }

  async #keepServing(): Promise<void> {
    while (!this.#closed && this.#needsGeneration()) {
      if (this.#retryMs > 0) await this.#pause(this.#retryMs);
      if (this.#closed || !this.#needsGeneration()) return;
      try {
        await this.#startGeneration();
      } catch (error) {
        if (this.#closed || this.#options.onFailedStart(this, this.#asBootstrapFailure(error)) === 'leave_it')
          return;
        this.#backOff();
      }
    }
  }

  #needsGeneration(): boolean {
    const serving = this.#serving;
    if (serving === undefined) return true;
    // What it knows could not be hidden.
    if (hasSecretSources(this.config) && !this.#secrets.has(serving.number)) return true;
    return this.folder.readNote(serving.files)?.fingerprint !== this.#fingerprint;
  }

  #backOff(): void {
    this.#retryMs = Math.min(Math.max(this.#retryMs * 2, RETRY_FIRST_MS), RETRY_MAX_MS);
  }

  /** Ends early, without harm, when the pool is closed. */
  async #pause(ms: number): Promise<void> {
    await Promise.allSettled([wait(ms, undefined, { signal: this.#abort.signal, ref: false })]);
  }

  /**
   * Starts the next generation beside the serving one, and lets that drain once the new one serves.
   * Throws `bootstrap_failed`; the old one serves on then.
   */
  async reload(): Promise<number> {
    // Whoever asks while a start is under way may have changed the code since it began: that one counts for nothing.
    await this.started();
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

  get isStarting(): boolean {
    return this.#booting !== null;
  }

  /** Resolves when no start is under way, whoever has asked for it. */
  async started(): Promise<void> {
    while (this.#booting !== null) await Promise.allSettled([this.#booting.done]);
  }

  /** When the code that serves, or will next, began to be loaded; null: none serves or will. */
  get codeSinceMs(): number | null {
    return (this.#booting?.generation ?? this.#serving)?.startedMs ?? null;
  }

  /** Why the last start has failed; null: it has not. */
  get problem(): string | null {
    return this.#problem;
  }

  /** The number of the generation that serves. */
  get servingNumber(): number | null {
    return this.#serving?.number ?? null;
  }

  /** Runs stay in the queue, since code is about to be loaded that they shall have; or no longer. */
  holdRuns(on: boolean): void {
    this.#isHoldingRuns = on;
    this.dispatch();
  }

  #startGeneration(): Promise<Generation> {
    if (this.#closed) return Promise.reject(new RocksyError('stopping', 'The daemon stops'));
    if (this.#booting !== null) return this.#booting.done;
    const generation = this.#newGeneration(
      'starting',
      this.folder.files(this.folder.nextNumber()),
      Date.now(),
    );
    const done = this.#boot(generation).finally(() => {
      this.#booting = null;
    });
    this.#booting = { generation, done };
    return done;
  }

  async #boot(generation: Generation): Promise<Generation> {
    const { files, startedMs } = generation;
    const note = { fingerprint: this.#fingerprint, startedMs };
    try {
      const { variables } = await this.#readEnvironment(files);
      const options = launchOptionsOf(
        this.config,
        this.folder,
        generation.number,
        this.#account,
        this.#options.cwd,
        variables,
      );
      await generation.boot(options, this.config, (process) => {
        this.folder.writeNote(files, { ...note, process, proved: false });
      });
      if (generation.process !== null) {
        this.folder.writeNote(files, { ...note, process: generation.process, proved: true });
      }
    } catch (error) {
      const failure = this.#asBootstrapFailure(error);
      this.#problem = failure.message;
      generation.kill();
      this.#removeFiles(files);
      throw failure;
    }
    this.#problem = null;
    generation.state = 'serving';
    this.#generations.push(generation);
    this.#drainOlder();
    generation.takeIn();
    const pid = generation.process?.pid;
    this.#log.info({ generation: generation.number, pid, ms: Date.now() - startedMs }, 'a generation serves');
    this.dispatch();
    return generation;
  }

  /** Its secrets are hidden before anybody can print them. */
  async #readEnvironment(files: GenerationFiles): Promise<PoolEnvironment> {
    const { config, name } = this;
    const environment = await readEnvironment(config, this.#options.cwd, this.#abort.signal);
    if (this.#closed) throw new RocksyError('stopping', 'The daemon stops');
    if (hasSecretSources(config)) this.#secrets.add(files, environment.secrets);
    const { unhidden } = environment;
    if (unhidden.length > 0) this.#log.warn(`pools.${name}.env_file: ${shortWarning(unhidden)}`);
    return environment;
  }

  #removeFiles(files: GenerationFiles): void {
    this.folder.remove(files);
    this.#secrets.tidy();
  }

  #newGeneration(state: 'adopting' | 'starting', files: GenerationFiles, startedMs: number): Generation {
    return new Generation(state, {
      files,
      startedMs,
      log: this.#log,
      mask: this.#options.mask,
      nextSession: this.#options.nextSession,
      listener: {
        onRun: (generation, event) => this.#onRun(generation, event),
        onResumed: (generation, missing) => this.#onResumed(generation, missing),
        onSilent: (generation) =>
          this.#drainsByItself(generation, 'a zygote does not answer; another takes its place'),
        onGone: (generation) => this.#onGone(generation),
      },
    });
  }

  /** Promises a new run a place, to be taken by `enqueue` or given back by `release`. Throws where it can't even wait. */
  admit(): void {
    if (this.#closed) throw new RocksyError('stopping', 'The daemon stops');
    if (this.#draining) throw new RocksyError('draining', `Pool ${this.name} takes no new runs`);
    if (this.#serving === undefined && this.#problem !== null) {
      throw new RocksyError('pool_unavailable', `Pool ${this.name} does not serve: ${this.#problem}`);
    }
    const { maxRunning, queue } = this.config;
    if (this.#active.size + this.#queue.taken >= maxRunning + queue || this.#queue.isTooLarge) {
      throw new RocksyError(
        'queue_full',
        `${this.#active.size} runs are going and ${this.#queue.size} are waiting in pool ${this.name}`,
      );
    }
    this.#queue.reserve();
  }

  /** The run that `admit` promised a place has its row, or will have none. */
  settleAdmission(): void {
    this.#queue.settle();
  }

  enqueue(run: Launchable): void {
    this.#queue.add(run);
    this.dispatch();
  }

  /** Takes a run out of the queue; false when it is not there. */
  withdraw(key: RunKey): boolean {
    return this.#queue.remove(key);
  }

  dispatch(): void {
    const generation = this.#serving;
    const client = generation?.client;
    if (this.#closed || this.#isHoldingRuns || generation === undefined || !client) return;
    for (const run of this.#queue) {
      if (this.#active.size >= this.config.maxRunning) return;
      this.#queue.remove(run.key);
      if (!this.#listener.onSend(run.key, generation.number)) continue;
      this.#active.add(run.key);
      generation.runs.add(run.key);
      client.start(run.key, run.file, run.spec);
    }
  }

  get #listener(): PoolListener {
    return this.#options.listener;
  }

  #onRun(generation: Generation, event: RunEvent): void {
    const key = event.key as RunKey;
    if (!this.#listener.expects(this, key)) {
      // Its end was committed before a crash and not acknowledged; or it is none of this pool's business.
      if (event.event === 'ended') generation.client?.acknowledge(key);
      return;
    }
    if (event.event === 'refused') {
      generation.runs.delete(key);
      if (event.code === 'draining') this.#drainsByItself(generation, 'a zygote drains, and not by our word');
    } else {
      this.#active.add(key);
      generation.runs.add(key);
    }
    this.#listener.onRun(this, generation, event);
  }

  /** Somebody sent the zygote SIGTERM or SIGSTOP, or it hangs. */
  #drainsByItself(generation: Generation, what: string): void {
    if (generation.state !== 'serving') return;
    this.#log.warn({ generation: generation.number }, what);
    generation.drain();
    if (this.#wanted) this.serve();
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

  #onResumed(generation: Generation, missing: readonly RunKey[]): void {
    this.#unvouched(generation, missing);
    if (generation.state === 'draining' && this.#serving === undefined && this.#wanted) this.serve();
  }

  #onGone(generation: Generation): void {
    const index = this.#generations.indexOf(generation);
    if (index < 0) return;
    this.#generations.splice(index, 1);
    this.#removeFiles(generation.files);
    this.#log.info({ generation: generation.number, runs: generation.runs.size }, 'a zygote has ended');
    if (Date.now() - generation.startedMs < STABLE_MS) this.#backOff();
    else this.#retryMs = 0;
    this.#unvouched(generation, [...generation.runs]);
    if (this.#wanted) this.serve();
  }

  #unvouched(generation: Generation, keys: readonly RunKey[]): void {
    for (const key of keys) generation.runs.delete(key);
    this.#listener.onUnvouched(this, keys);
    this.dispatch();
  }

  /** The pool's processes that are no run's: its zygotes. */
  zygotePids(): number[] {
    return [...this.#generations, ...(this.#booting === null ? [] : [this.#booting.generation])].flatMap(
      (generation) => generation.process?.pid ?? [],
    );
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  setDraining(on: boolean): void {
    this.#draining = on;
  }

  #check(): void {
    void this.#serving?.askForWord();
    this.#recycleWhenDue();
  }

  #recycleWhenDue(): void {
    const serving = this.#serving;
    if (serving === undefined || this.#booting !== null || this.#closed) return;
    const ageMs = Date.now() - serving.startedMs;
    const { maxAgeMs, maxMemoryBytes } = this.config;
    const tooOld = maxAgeMs !== null && ageMs > maxAgeMs;
    const tooBig = maxMemoryBytes !== null && (serving.rssBytes() ?? 0) > maxMemoryBytes;
    // One that is too big as soon as it is loaded, or a bootstrap that fails, must not make a loop of starts.
    if ((!tooOld && !tooBig) || ageMs < STABLE_MS || Date.now() < this.#noRecycleUntilMs) return;
    this.#log.info(
      { generation: serving.number, reason: tooOld ? 'max_age' : 'max_memory' },
      'the zygote is renewed',
    );
    this.reload().catch((error: unknown) => {
      this.#noRecycleUntilMs = Date.now() + STABLE_MS;
      this.#log.error({ err: error }, 'the zygote could not be renewed; it serves on');
    });
  }

  /** No more starts. Zygotes are told to end when their runs have; or, with `leave`, are left to the next daemon. */
  close(zygotes: 'drain' | 'leave'): void {
    this.#closed = true;
    this.#wanted = false;
    this.#abort.abort();
    clearInterval(this.#checks);
    this.#booting?.generation.abort();
    for (const generation of this.#generations) {
      if (zygotes === 'drain') generation.drain();
      else generation.leave();
    }
  }

  /**
   * Resolves when no zygote is left, or after `ms`. Those that are left then are killed; but one that still holds the
   * outcome of a run is left alone, for the next daemon.
   */
  async ended(ms: number): Promise<void> {
    // How that start ends is told to whoever asked for it.
    await Promise.allSettled([this.#booting?.done]);
    const until = Date.now() + ms;
    while (this.#generations.length > 0 && Date.now() < until) await wait(10);
    for (const generation of this.#generations) {
      if (generation.runs.size === 0) generation.kill();
      else generation.leave();
    }
  }

  view(): Omit<PoolView, 'default'> {
    const serving = this.#serving;
    return {
      name: this.name,
      runtime: this.config.runtime,
      // A node pool runs on Rocksy's own Node where it names none.
      interpreter: this.config.interpreter ?? (this.config.runtime === 'node' ? process.execPath : null),
      user: this.config.user,
      state: this.#draining
        ? 'draining'
        : serving !== undefined
          ? 'serving'
          : this.#problem !== null
            ? 'unavailable'
            : 'starting',
      problem: this.#problem,
      queued: this.#queue.size,
      running: this.#active.size,
      max_running: this.config.maxRunning,
      generations: this.#generations.map(
        (generation): GenerationView => ({
          number: generation.number,
          state:
            generation.state === 'adopting' || generation.state === 'gone' ? 'starting' : generation.state,
          pid: generation.process?.pid ?? null,
          running: generation.runs.size,
          started_ms: generation.startedMs,
          rss_bytes: generation.rssBytes(),
        }),
      ),
    };
  }

  #asBootstrapFailure(error: unknown): RocksyError {
    if (error instanceof RocksyError) return error;
    const message = `pool ${this.name}: ${(error as Error).message}`;
    return new RocksyError('bootstrap_failed', this.#options.mask.text(message), { cause: error });
  }
}
