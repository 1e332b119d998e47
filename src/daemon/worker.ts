import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { connectToKeeper, type KeeperChannel, type KeeperSignal, type Orphan } from '../takeover/index.ts';
import type { Config } from './config/index.ts';
import { Listeners } from './connections/index.ts';
import { Journal } from './journal/index.ts';
import { exitAfterFlush } from './log.ts';
import { DiskFloor, freeBytes, GrowthWatch, LogTimes, Mask, type Watched } from './logs/index.ts';
import { type Pool, Pools } from './pools/index.ts';
import { answer, type Daemon } from './requests/index.ts';
import { RetentionSweep } from './retention.ts';
import { logFileName, logOf, type Run, Runs, readProgress, runFileOf } from './runs/index.ts';
import { step } from './test-kill.ts';

/** How long zygotes whose runs have ended may take to end. */
const ZYGOTES_END_MS = 2_000;
/** How long a start waits for zygotes of before to say hello; slower ones are still waited for, beside. */
const ADOPT_MS = 5_000;
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
  readonly #growth: GrowthWatch<Watched & { readonly run: Run }>;
  readonly #retention: RetentionSweep;
  #stopping: Promise<void> | null = null;

  static async start(config: Config, version: string, log: Logger): Promise<Worker> {
    const keeper = connectToKeeper();
    const journal = await Journal.open({
      dir: config.state,
      log: (level, message, fields) => log[level](fields ?? {}, message),
      onFatal: (error) => {
        // The keeper starts a new worker, which recovers from what is on the disk.
        log.fatal({ err: error }, 'the journal failed');
        exitAfterFlush(log, 1);
      },
    });
    const worker = new Worker(config, version, log, keeper, journal);
    await worker.#begin();
    return worker;
  }

  private constructor(config: Config, version: string, log: Logger, keeper: KeeperChannel, journal: Journal) {
    this.#config = config;
    this.#log = log;
    this.#keeper = keeper;
    this.#journal = journal;
    this.#runs = new Runs({
      journal,
      log,
      keeperPid: keeper.keeperPid,
      acknowledgeOrphan: (id) => keeper.acknowledgeOrphan(id),
      step,
    });
    this.#pools = new Pools(config, log, sessionNumbers(journal), this.#runs);
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
      mask: new Mask(config.mask, secretsOf(config)),
      logTimes,
      startedMs: Date.now(),
      connectionCount: () => this.#listeners.connectionCount,
      stop: () => this.#stop(),
    };
    this.#listeners = new Listeners({
      auth: config.auth,
      limits: config.limits,
      log,
      answer: (request, connection) => answer(request, connection, daemon),
    });
  }

  async #begin(): Promise<void> {
    this.#runs.load(this.#pools);
    this.#keeper.onOrphan((orphan) => this.#orphan(orphan));
    this.#keeper.onSignal((signal) => this.#signal(signal));
    const adopted = this.#pools.all.map((pool) => this.#adopt(pool));
    await Promise.race([Promise.all(adopted), wait(ADOPT_MS, undefined, { ref: false })]);
    this.#runs.recoverHomeless();
    for (const pool of this.#pools.configured) pool.serve();
    this.#growth.start();
    for (const listen of this.#config.listen) {
      const fd = this.#keeper.listeners.get(listen.name);
      if (fd === undefined)
        throw new Error(`the keeper has no listener ${listen.name}: rocksyd has to be started anew`);
      await this.#listeners.add(listen, fd);
    }
    this.#keeper.ready();
    for (const listen of this.#config.listen) process.stdout.write(`listening on ${listen.name}\n`);
  }

  /** What became of a pool's runs is decided when all its zygotes of before have been heard, or have ended. */
  async #adopt(pool: Pool): Promise<void> {
    await pool.adopt();
    this.#runs.recover(pool);
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
    else this.#log.warn({ signal }, 'Restart is not supported yet');
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
    this.#log.info({ stop_runs: stopRuns, running: this.#runs.liveCount }, 'stopping');
    this.#listeners.stopAccepting();
    if (stopRuns === 'leave') this.#pools.close('leave');
    else {
      this.#pools.close('drain');
      await this.#runs.stopAll(stopGraceMs);
      await this.#pools.ended(ZYGOTES_END_MS);
    }
    this.#runs.close();
    await this.#listeners.close();
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

/** Numbers of sessions with zygotes. A journal that can't be written must not keep us from hearing what they know. */
function sessionNumbers(journal: Journal): () => Promise<number> {
  let last = 0;
  return async () => {
    const seconds = Math.floor(Date.now() / 1000);
    last = await journal.nextSession().catch(() => Math.max(last + 1, seconds));
    return last;
  };
}

/** Values of the pools' environments that are secrets by their names, never to be shown in a log. */
function secretsOf(config: Config): string[] {
  return [...config.pools.values()]
    .flatMap((pool) => [...pool.env])
    .flatMap(([name, value]) => (SECRET_NAME.test(name) && value.length >= 6 ? [value] : []));
}
