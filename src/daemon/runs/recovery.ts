import type { Logger } from 'pino';
import { bootId } from '../../posix/index.ts';
import type { RunKey } from '../../wire/index.ts';
import type { Pool } from '../pools/index.ts';
import { killLeftovers, orphanedChildren } from './ending.ts';
import { runFileOf } from './files.ts';
import type { Orphans } from './orphans.ts';
import { type Exit, NO_REPORT, type Report, type Run, type RunChange } from './run.ts';
import { type Claim, type RunFileContents, readRunFile } from './runfile.ts';

const RECORD_RETRY_MS = 1_000;
const MAX_RETURNS = 5;
const HALF_CLAIM_LOOKS = 20;
const HALF_CLAIM_LOOK_MS = 100;
const SWEEP_AFTER_MS = 500;

/** How a run ends that has not begun. `again`: where it is sure that it has not, it may be started once more instead. */
export interface Failure {
  readonly outcome: 'failed' | 'cancelled';
  readonly error: string;
  readonly again?: boolean;
}

/** What recovery has to know of the runs that go on, and may do about them. */
export interface Registry {
  readonly live: Iterable<Run>;
  /** The run, unless it has ended or its end is on its way to the disk. */
  going(key: RunKey): Run | undefined;
  poolOf(run: Run): Pool | undefined;
  zygotePids(): Iterable<number>;
  apply(key: RunKey, news: RunChange): Promise<void>;
  /** It waits again. */
  giveBack(run: Run): void;
  /** Resolves when an end that is on its way to the disk is there. */
  ended(key: RunKey): Promise<void>;
}

/** Finds out what has become of runs for which no zygote speaks: from claims, from the keeper, and from what they left. */
export class Recovery {
  readonly orphans: Orphans;
  readonly #registry: Registry;
  readonly #log: Logger;
  readonly #keeperPid: number;
  readonly #bootId = bootId();
  /** How often a run came back from a zygote that died over it. */
  readonly #returns = new Map<RunKey, number>();
  /** How often an unfinished claim has been looked at. */
  readonly #looks = new Map<RunKey, number>();
  readonly #sweeps = new Set<Pool>();
  #stopping = false;

  constructor(registry: Registry, orphans: Orphans, log: Logger, keeperPid: number) {
    this.#registry = registry;
    this.orphans = orphans;
    this.#log = log;
    this.#keeperPid = keeperPid;
  }

  /** What has not begun waits for the next start from now on. */
  stop(): void {
    this.#stopping = true;
  }

  /** The run has ended: nothing has to be remembered of it. */
  forget(key: RunKey): void {
    this.#returns.delete(key);
    this.#looks.delete(key);
  }

  /**
   * Finds out what has become of a run for which no zygote speaks. Its claim decides: without one it has not begun and
   * may be started again, since of two children only one can claim.
   * @param failure what its zygote says: how it ends when it has not begun
   */
  settle(key: RunKey, failure?: Failure): void {
    const run = this.#registry.going(key);
    if (run === undefined) return;
    const pool = this.#registry.poolOf(run);
    let file: RunFileContents | null;
    try {
      file = pool === undefined ? null : readRunFile(runFileOf(run, pool));
    } catch (error) {
      this.#log.error({ err: error, key }, 'a run file can not be read; trying again');
      setTimeout(() => this.settle(key, failure), RECORD_RETRY_MS).unref();
      return;
    }
    if (pool === undefined || file === null) this.#unclaimed(run, pool, failure);
    else if (file.claim === null) this.#halfClaimed(key, failure, file.report);
    else this.#orphaned(pool, run, file.claim);
  }

  /** The file is there and its claim is not: between the two lies a moment in which a child may just be. */
  #halfClaimed(key: RunKey, failure: Failure | undefined, report: Report): void {
    const looks = (this.#looks.get(key) ?? 0) + 1;
    if (looks <= HALF_CLAIM_LOOKS) {
      this.#looks.set(key, looks);
      setTimeout(() => this.settle(key, failure), HALF_CLAIM_LOOK_MS).unref();
      return;
    }
    if (failure === undefined) this.#lose(key, 'it was killed while it began', report);
    else this.#abandon(key, failure);
  }

  #unclaimed(run: Run, pool: Pool | undefined, failure: Failure | undefined): void {
    const { key, file, spec } = run.identity;
    if (run.phase.state === 'running') {
      this.#lose(key, 'its run file is gone', NO_REPORT);
      return;
    }
    const again = failure === undefined || failure.again === true;
    const final = this.#stopping ? undefined : again ? this.#hopeless(run, pool) : failure;
    if (final !== undefined) {
      this.#abandon(key, final);
      return;
    }
    this.#registry.giveBack(run);
    pool?.release(key);
    pool?.enqueue({ key, file, spec, bytes: 0 });
  }

  /** Why it would be of no use to start a run again that has not begun. */
  #hopeless(run: Run, pool: Pool | undefined): Failure | undefined {
    const { key } = run.identity;
    if (pool === undefined || pool.config.maxRunning === 0) {
      return { outcome: 'failed', error: `the pool ${run.identity.pool} is not configured any more` };
    }
    if (run.phase.state !== 'starting') return undefined;
    const returns = (this.#returns.get(key) ?? 0) + 1;
    this.#returns.set(key, returns);
    return returns < MAX_RETURNS
      ? undefined
      : {
          outcome: 'failed',
          error: `it did not begin: ${returns} times in a row it was given back, or its zygote or child was killed`,
        };
  }

  #orphaned(pool: Pool, run: Run, claim: Claim): void {
    const { key, spec } = run.identity;
    if (claim.bootId !== this.#bootId) {
      this.#lose(key, 'the machine was restarted while it ran', this.#reportOf(pool, run));
      return;
    }
    const generation = 'generation' in run.phase ? (run.phase.generation ?? 0) : 0;
    void this.#registry.apply(key, { type: 'claimed', generation, pid: claim.pid, atMs: claim.atMs });
    pool.hold(key);
    const claimed = { pid: claim.pid, startTime: claim.startTime, uid: pool.ownFile('').ownerUid };
    this.orphans.watch(key, claimed, (exit) => void this.#orphanEnded(pool, run, claim, exit));
    if (spec.timeout_ms !== undefined) {
      this.orphans.limit(key, claim.atMs + spec.timeout_ms, spec.kill_after_ms ?? pool.config.killAfterMs);
    }
  }

  #reportOf(pool: Pool, run: Run): Report {
    try {
      return readRunFile(runFileOf(run, pool))?.report ?? NO_REPORT;
    } catch (error) {
      this.#log.error(
        { err: error, key: run.identity.key },
        'a run file can not be read: its report is lost',
      );
      return NO_REPORT;
    }
  }

  async #orphanEnded(pool: Pool, run: Run, claim: Claim, exit: Exit | null): Promise<void> {
    const { key } = run.identity;
    this.#sweepSoon(pool);
    const report = this.#reportOf(pool, run);
    if (exit === null) this.#lose(key, 'its zygote was gone and nobody saw how it ended', report);
    else void this.#registry.apply(key, { type: 'exited', exit, report, atMs: Date.now() });
    await this.#registry.ended(key);
    this.orphans.settled(claim);
  }

  /** Once for all orphans that end at about the same time, and after those have claimed that were about to. */
  #sweepSoon(pool: Pool): void {
    if (pool.config.leaveChildren || this.#sweeps.has(pool)) return;
    this.#sweeps.add(pool);
    setTimeout(() => {
      this.#sweeps.delete(pool);
      if (pool.allHeard) this.#sweep(pool);
      else this.#sweepSoon(pool);
    }, SWEEP_AFTER_MS).unref();
  }

  /** Kills what orphans of the pool left behind: children of the keeper that are no zygote and no run's main process. */
  #sweep(pool: Pool): void {
    // First who is there, then who has a claim: who claims later is not among the first.
    const candidates = orphanedChildren(this.#keeperPid);
    const keep = new Set([...this.#registry.zygotePids(), ...this.orphans.pids(), process.pid]);
    for (const run of this.#registry.live) {
      if (run.identity.pool !== pool.name || run.phase.state === 'queued') continue;
      const claim = readRunFile(runFileOf(run, pool))?.claim;
      if (claim) keep.add(claim.pid);
    }
    const killed = killLeftovers(candidates, pool.folder.runs, keep);
    if (killed > 0) this.#log.info({ pool: pool.name, killed }, 'killed what runs had left behind');
  }

  #abandon(key: RunKey, { outcome, error }: Failure): void {
    void this.#registry.apply(key, { type: 'abandoned', outcome, error, atMs: Date.now() });
  }

  #lose(key: RunKey, error: string, report: Report): void {
    void this.#registry.apply(key, { type: 'lost', error: `lost: ${error}`, report, atMs: Date.now() });
  }
}
