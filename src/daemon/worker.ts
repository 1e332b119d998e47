import fs from 'node:fs';
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { exitAfterFlush } from '../log/index.ts';
import {
  type HandOverTiming,
  type KeeperChannel,
  type KeeperSignal,
  type ListenerOptions,
  type Orphan,
  type Succession,
  TakeoverRefused,
} from '../takeover/index.ts';
import { RocksyError, type RunKey, type TakeoverView } from '../wire/index.ts';
import type { Config } from './config/index.ts';
import { Listeners } from './connections/index.ts';
import type { State } from './estate.ts';
import { Journal } from './journal/index.ts';
import { HostLink } from './link/index.ts';
import { DiskFloor, freeBytes, GrowthWatch, LogTimes, Mask, type Watched } from './logs/index.ts';
import { type OnFailedStart, type Pool, Pools } from './pools/index.ts';
import { answer, type CloudScope, type Daemon, LOCAL } from './requests/index.ts';
import { RetentionSweep } from './retention.ts';
import { logFileName, logOf, type Run, Runs, readProgress, runFileOf } from './runs/index.ts';
import { DaemonTakeover } from './takeover.ts';
import { step } from './test-kill.ts';
import { warmUp } from './warm-up.ts';
import { Watch } from './watch/index.ts';

/** How long zygotes whose runs have ended may take to end. */
const ZYGOTES_END_MS = 2_000;
/** How long a start waits for zygotes of before to say hello; slower ones are still waited for, beside. */
const ADOPT_MS = 5_000;
/** More than Node's own 511: a whole fleet may come back at once. */
const BACKLOG = 4_096;
const SECRET_NAME = /PASS|SECRET|TOKEN|KEY|CREDENTIAL/i;

/** The worker: everything that rocksyd does but to stay. It dies with the keeper, which starts it again when it dies. */
export class Worker {
  readonly #config: Config;
  readonly #log: Logger;
  readonly #keeper: KeeperChannel;
  readonly #journal: Journal;
  readonly #runs: Runs;
  readonly #pools: Pools;
  readonly #listeners: Listeners;
  /** null: this host belongs to no cloud. */
  readonly #link: HostLink | null;
  readonly #growth: GrowthWatch<Watched & { readonly run: Run }>;
  readonly #retention: RetentionSweep;
  /** null: nobody wants that. */
  readonly #watch: Watch | null;
  readonly #handOver: DaemonTakeover;
  #stopping: Promise<void> | null = null;
  /** The takeover that is under way, by whoever's wish. */
  #takeover: Promise<never> | null = null;
  /** There is a predecessor, and nothing is ours yet. */
  #isHeir: boolean;
  /** How that went, once everybody is served. */
  readonly #takenOver = Promise.withResolvers<TakeoverView | null>();

  /** @param reloads `on_change`: pools load their code anew as its files change */
  static async start(
    config: Config,
    version: string,
    log: Logger,
    keeper: KeeperChannel,
    reloads: 'when_asked' | 'on_change',
  ): Promise<Worker> {
    const journal = await Journal.open({
      dir: config.state,
      log: (level, message, fields) => log[level](fields ?? {}, message),
      onFatal: (error) => {
        // The keeper starts a new worker, which recovers from what is on the disk.
        log.fatal({ err: error }, 'the journal failed');
        exitAfterFlush(log, 1);
      },
    });
    const worker = new Worker(config, version, log, keeper, journal, reloads);
    if (keeper.isSuccessor) await worker.#succeed();
    else await worker.#begin();
    return worker;
  }

  private constructor(
    config: Config,
    version: string,
    log: Logger,
    keeper: KeeperChannel,
    journal: Journal,
    reloads: 'when_asked' | 'on_change',
  ) {
    this.#config = config;
    this.#log = log;
    this.#keeper = keeper;
    this.#isHeir = keeper.isSuccessor;
    this.#journal = journal;
    const mask = new Mask(config.mask, secretsOf(config));
    this.#runs = new Runs({
      journal: withoutSecrets(journal, mask),
      log,
      keeperPid: keeper.keeperPid,
      acknowledgeOrphan: (id) => keeper.acknowledgeOrphan(id),
      step,
    });
    this.#watch =
      reloads === 'on_change'
        ? new Watch({ config, log, restart: () => this.#restart(() => undefined) })
        : null;
    const onFailedStart = this.#watch?.onFailedStart ?? tryAgain(log);
    this.#pools = new Pools(config, log, mask, sessionNumbers(journal), this.#runs, onFailedStart);
    const logTimes = new LogTimes();
    this.#growth = this.#watchGrowth(logTimes);
    this.#retention = new RetentionSweep({
      policy: config.retention,
      journal,
      pools: this.#pools,
      times: logTimes,
      inUse: () => this.#logsInUse(),
      log,
    });
    const daemon: Daemon = {
      config,
      version,
      log,
      journal,
      pools: this.#pools,
      runs: this.#runs,
      floor: new DiskFloor(config.minFreeBytes, () => freeBytes(config.state), Date.now),
      mask,
      logTimes,
      startedMs: Date.now(),
      connectionCount: () => this.#listeners.connectionCount,
      restart: (begun) => this.#restart(begun),
      takenOver: this.#takenOver.promise,
      stop: () => this.#stop(),
    };
    this.#listeners = new Listeners({
      auth: config.auth,
      limits: config.limits,
      log,
      answer: (request, connection, task) => answer(request, connection, task, daemon, LOCAL),
    });
    this.#link = linkOf(daemon);
    this.#handOver = new DaemonTakeover({
      listeners: this.#listeners,
      link: this.#link,
      pools: this.#pools,
      runs: this.#runs,
      journal,
      growth: this.#growth,
      logTimes,
      log,
      isStopping: () => this.#stopping !== null,
      hasPredecessor: () => this.#isHeir,
    });
  }

  /** Begins where nobody has served, or where whoever did is dead. */
  async #begin(): Promise<void> {
    this.#takenOver.resolve(null);
    this.#runs.load(this.#pools);
    this.#listenToKeeper();
    const adopted = this.#pools.all.map((pool) => this.#adopt(pool, new Map()));
    await Promise.race([Promise.all(adopted), wait(ADOPT_MS, undefined, { ref: false })]);
    this.#runs.recoverHomeless();
    for (const pool of this.#pools.configured) pool.serve();
    this.#watch?.start(this.#pools.configured);
    this.#growth.start();
    await this.#accept();
    this.#link?.start();
    this.#keeper.bequeath(this.#handOver);
    this.#keeper.ready();
    for (const listen of this.#config.listen) process.stdout.write(`listening on ${listen.name}\n`);
  }

  /** Begins where a predecessor serves, and takes over what it has. */
  async #succeed(): Promise<void> {
    await Promise.all([warmUp(this.#listeners), this.#link?.prepare()]);
    const succession = await this.#keeper.succeed(this.#handOver);
    this.#isHeir = false;
    const { inherited } = this.#handOver;
    if (inherited === null) {
      this.#listeners.forgetPassed();
      await this.#begin();
      return;
    }
    await this.#goOn(inherited, succession);
  }

  /** Everybody waits: first what clients notice. */
  async #goOn(state: State, succession: Succession): Promise<void> {
    const begunMs = performance.now();
    this.#runs.load(this.#pools, state.runs);
    this.#runs.orphans.goOnFrom(state.ending);
    this.#listeners.resumeTold();
    const given = Map.groupBy(state.runs, ([key]) => this.#runs.get(key)?.identity.pool);
    const adopted = this.#pools.all.map((pool) => {
      if (state.draining.includes(pool.name)) pool.setDraining(true);
      const runs = Map.groupBy(given.get(pool.name) ?? [], ([, phase]) => phase.generation);
      return this.#adopt(pool, new Map([...runs].map(([number, all]) => [number, all.map(([key]) => key)])));
    });
    const activating = succession.activate((id, socket) => this.#listeners.activate(id, socket));
    // Two turns: the second one's polling reads what the first of them have asked, before all that follows here.
    await nextTurn();
    await nextTurn();
    const serveMs = performance.now() - begunMs;
    await this.#accept();
    this.#link?.start();
    this.#keeper.bequeath(this.#handOver);
    this.#keeper.ready();
    this.#listenToKeeper();
    this.#growth.goOnFrom(state.told);
    this.#growth.start();
    await activating;
    const activateMs = performance.now() - begunMs - serveMs;
    const view = succession.how === 'taken' ? viewOfTakeover(succession.timing, serveMs, activateMs) : null;
    this.#takenOver.resolve(view);
    this.#log.info({ ...view }, 'took over');
    // No pool waits for another one's zygotes, and none for ever for its own.
    const begun = this.#pools.all.map(async (pool, i) => {
      await Promise.race([adopted[i], wait(ADOPT_MS, undefined, { ref: false })]);
      if (this.#pools.configured.includes(pool)) pool.serve();
    });
    this.#runs.recoverHomeless();
    void Promise.all(begun).then(() => this.#watch?.start(this.#pools.configured));
  }

  #listenToKeeper(): void {
    this.#keeper.onOrphan((orphan) => this.#orphan(orphan));
    this.#keeper.onSignal((signal) => this.#signal(signal));
  }

  async #accept(): Promise<void> {
    for (const listen of this.#config.listen) {
      const fd = this.#keeper.listeners.get(listen.name);
      if (fd === undefined) throw new Error(`the keeper has no listener ${listen.name}`);
      // A file that was there before has the mode that it was made with.
      if (listen.kind === 'unix' && (fs.statSync(listen.path).mode & 0o777) !== listen.mode)
        fs.chmodSync(listen.path, listen.mode);
      await this.#listeners.add(listen, fd);
    }
  }

  /** What became of a pool's runs is decided when all its zygotes of before have been heard, or have ended. */
  async #adopt(pool: Pool, given: ReadonlyMap<number, readonly RunKey[]>): Promise<void> {
    await pool.adopt(given);
    this.#runs.recover(pool);
  }

  async #restart(begun: () => void): Promise<never> {
    // Whoever asked before us is told by himself how that ended.
    while (this.#takeover !== null) await Promise.allSettled([this.#takeover]);
    begun();
    this.#log.info('a takeover is asked for');
    this.#takeover = this.#keeper.takeover();
    try {
      return await this.#takeover;
    } catch (error) {
      if (!(error instanceof TakeoverRefused)) throw error;
      const { message, output } = error;
      this.#log.error({ reason: message, output }, 'no takeover: this version serves on');
      throw new RocksyError('takeover_refused', `Nothing has changed: ${message}`, { output });
    } finally {
      this.#takeover = null;
    }
  }

  #orphan({ id, pid, startTime, code, signal, cpuUserMs, cpuSystemMs, maxRssBytes }: Orphan): void {
    const usage = { cpuUserMs, cpuSystemMs, maxRssBytes };
    this.#runs.orphans.reaped({
      id,
      pid,
      startTime: startTime ?? 0,
      exit: { code, signal, reason: null, usage },
    });
  }

  #signal(signal: KeeperSignal): void {
    if (signal === 'SIGTERM' || signal === 'SIGINT') this.#stop();
    else void this.#restartBySignal(signal);
  }

  async #restartBySignal(signal: KeeperSignal): Promise<void> {
    try {
      await this.#restart(() => this.#log.info({ signal }, 'restarting by signal'));
    } catch (error) {
      // Why it was refused has been logged, and nobody asked who could be told.
      if (!(error instanceof RocksyError)) throw error;
    }
  }

  #stop(): void {
    this.#stopping ??= this.#end().then(
      () => exitAfterFlush(this.#log, 0),
      (error: unknown) => {
        this.#log.fatal({ err: error }, 'the stop failed');
        exitAfterFlush(this.#log, 1);
      },
    );
  }

  async #end(): Promise<void> {
    const { stopRuns, stopGraceMs } = this.#config;
    // Answers that were taken over and have not left wait for their connections to begin.
    await this.#takenOver.promise;
    this.#log.info({ stop_runs: stopRuns, running: this.#runs.liveCount }, 'stopping');
    this.#watch?.[Symbol.dispose]();
    this.#listeners.stopAccepting();
    if (stopRuns === 'leave') this.#pools.close('leave');
    else {
      this.#pools.close('drain');
      await this.#runs.stopAll(stopGraceMs);
      await this.#pools.ended(ZYGOTES_END_MS);
    }
    this.#runs.close();
    await Promise.all([this.#listeners.close(), this.#link?.close()]);
    await this.#growth.stop();
    await this.#retention.close();
    await this.#journal.close();
    this.#log.info('stopped');
    await this.#keeper.stopping();
  }

  #watchGrowth(times: LogTimes): GrowthWatch<Watched & { readonly run: Run }> {
    const { subscriptions } = this.#runs;
    return new GrowthWatch({
      running: () => this.#running(),
      grew: ({ run }, size) => subscriptions.emit('log', run, { size }),
      progressed: ({ run }, progress) => subscriptions.emit('progress', run, { progress }),
      failed: ({ key }, error) => this.#log.warn({ err: error, key }, "a run's files can't be watched"),
      readProgress,
      times,
      maxLogBytes: this.#config.logMaxBytes,
      nowMs: Date.now,
    });
  }

  *#running(): Iterable<Watched & { readonly run: Run }> {
    for (const run of this.#runs.live) {
      const pool = run.phase.state === 'running' ? this.#pools.find(run.identity.pool) : undefined;
      if (pool !== undefined) {
        yield { key: run.identity.key, log: logOf(run, pool), runFile: runFileOf(run, pool), run };
      }
    }
  }

  #logsInUse(): ReadonlySet<string> {
    return new Set([...this.#runs.live].map((run) => logFileName(run.identity)));
  }
}

/** Whatever kept a bootstrap from loading (a database, a disk) may be over by itself. */
function tryAgain(log: Logger): OnFailedStart {
  return ({ name }, failure) => {
    const fields = { pool: name, err: failure, output: failure.output };
    log.error(fields, 'a generation could not be started; trying again');
    return 'try_again';
  };
}

/** What the keeper has to hold for this configuration. */
export function listenersOf(config: Config): ListenerOptions[] {
  return config.listen.map((listen) => ({ ...listen, backlog: BACKLOG }));
}

/** The cloud's requests are answered as those of clients are, within the bounds of what this host lends it. */
function linkOf(daemon: Daemon): HostLink | null {
  const { config, log } = daemon;
  const { join, state, limits } = config;
  if (join === null) return null;
  const scope: CloudScope = {
    origin: 'cloud',
    pools: new Set(join.pools),
    keepIncarnation: (incarnation) => link.keepIncarnation(incarnation),
  };
  const link = new HostLink({
    join,
    state,
    limits,
    log,
    answer: (request, connection, task) => answer(request, connection, task, daemon, scope),
  });
  return link;
}

function viewOfTakeover(timing: HandOverTiming, serveMs: number, activateMs: number): TakeoverView {
  const ms = (time: number): number => Math.round(time * 100) / 100;
  const { quiesceMs, freezeMs, adoptMs } = timing;
  return {
    connections: timing.connections,
    state_bytes: timing.stateBytes,
    prepare_ms: ms(timing.prepareMs),
    quiesce_ms: ms(quiesceMs),
    freeze_ms: ms(freezeMs),
    adopt_ms: ms(adoptMs),
    serve_ms: ms(serveMs),
    activate_ms: ms(activateMs),
    stall_ms: ms(quiesceMs + freezeMs + adoptMs + serveMs),
  };
}

/** Numbers of sessions with zygotes. A journal that can't be written must not keep us from hearing what they know. */
function sessionNumbers(journal: Journal): () => Promise<number> {
  let last = 0;
  return async () => {
    const seconds = Math.floor(Date.now() / 1000);
    last = await journal.nextSession().catch(() => Math.max(last + 1, seconds));
    return last;
  };
}

/**
 * The journal as runs are written down in it: what they have said of themselves is kept as it may be shown. It is read for
 * longer than anybody knows what was a secret then.
 */
function withoutSecrets(journal: Journal, mask: Mask): Journal {
  return new Proxy(journal, {
    get(target, name) {
      if (name === 'record') return (run: Run) => target.record(hidden(run, mask));
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

function hidden(run: Run, mask: Mask): Run {
  const { phase } = run;
  if (phase.state !== 'ended' || mask.reach === 0) return run;
  const { outcome, progress } = phase;
  return {
    ...run,
    phase: {
      ...phase,
      outcome: {
        ...outcome,
        error: outcome.error === null ? null : mask.text(outcome.error),
        result: mask.json(outcome.result),
      },
      progress: progress === null ? null : { ...progress, text: mask.text(progress.text) },
    },
  };
}

/** Values of the pools' environments that are secrets by their names, never to be shown in a log. */
function secretsOf(config: Config): string[] {
  return [...config.pools.values()]
    .flatMap((pool) => [...pool.env])
    .flatMap(([name, value]) => (SECRET_NAME.test(name) && value.length >= 6 ? [value] : []));
}
