import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { bootId } from '../../posix/index.ts';
import { RocksyError, type RunKey } from '../../wire/index.ts';
import type { EndedEvent, RunEvent } from '../../zygote/index.ts';
import type { Journal } from '../journal/index.ts';
import type { Generation, Pool, PoolListener, Pools } from '../pools/index.ts';
import { killLeftovers } from './ending.ts';
import { runFileOf } from './files.ts';
import { Orphans } from './orphans.ts';
import { change, type Exit, NO_REPORT, type Run, type RunChange, type RunIdentity } from './run.ts';
import { type Claim, type RunFileContents, readRunFile } from './runfile.ts';
import { Subscriptions } from './subscriptions.ts';

const RECORD_RETRY_MS = 1_000;

export interface RunsOptions {
  readonly journal: Journal;
  readonly log: Logger;
  readonly keeperPid: number;
  readonly acknowledgeOrphan: (id: number) => void;
  /** Called at the named steps between request and acknowledgement; the fault tests end the process there. */
  readonly step: (name: string) => void;
}

/**
 * The runs that have not ended, and the one place where a run changes. News come from requests, zygotes and the keeper;
 * each is applied to the pure state machine, an end is committed to the journal before anybody hears of it.
 */
export class Runs implements PoolListener {
  readonly subscriptions = new Subscriptions();
  readonly orphans: Orphans;
  readonly #journal: Journal;
  readonly #log: Logger;
  readonly #keeperPid: number;
  readonly #step: (name: string) => void;
  readonly #bootId = bootId();
  readonly #live = new Map<RunKey, Run>();
  /** Runs whose row is on its way to the disk: not known to anybody yet. */
  readonly #accepting = new Map<RunKey, Promise<'accepted' | 'known' | 'freed'>>();
  /** Runs whose end is on its way to the disk: still running to everybody. */
  readonly #ending = new Map<RunKey, Promise<void>>();
  readonly #waiting = new Map<RunKey, Set<(run: Run) => void>>();
  #pools: Pools | null = null;
  #stopping = false;

  constructor(options: RunsOptions) {
    this.#journal = options.journal;
    this.#log = options.log;
    this.#keeperPid = options.keeperPid;
    this.#step = options.step;
    this.orphans = new Orphans(options.acknowledgeOrphan);
  }

  /** Loads the runs that had not ended; their fate is known after the pools have adopted what they found. */
  load(pools: Pools): void {
    this.#pools = pools;
    for (const run of this.#journal.unfinished()) {
      this.#live.set(run.identity.key, { identity: run.identity, phase: { state: 'queued' } });
    }
  }

  /** Decides about every run that no zygote vouches for. */
  recover(): void {
    for (const run of this.#live.values()) {
      const pool = this.#pools?.find(run.identity.pool);
      if (pool?.holder(run.identity.key) === undefined) this.#settle(run.identity.key);
    }
  }

  get(key: RunKey): Run | undefined {
    return this.#live.get(key) ?? this.#journal.get(key);
  }

  get live(): IterableIterator<Run> {
    return this.#live.values();
  }

  get liveCount(): number {
    return this.#live.size;
  }

  /**
   * Accepts a run: from when this resolves it is in the journal and will run exactly once, whatever dies.
   * A known key starts nothing. Throws `freed`, what the pool's `admit` throws, and the journal's errors.
   */
  async start(identity: RunIdentity, pool: Pool): Promise<{ known: boolean; run: Run }> {
    const { key } = identity;
    // Of two requests with one key at the same time the second waits for the first one's commit, and is told of it.
    await this.#accepting.get(key)?.catch(() => undefined);
    const known = this.get(key);
    if (known !== undefined) return { known: true, run: known };
    pool.admit();
    const run: Run = { identity, phase: { state: 'queued' } };
    const accepting = this.#journal.accept(run);
    this.#accepting.set(key, accepting);
    let verdict: 'accepted' | 'known' | 'freed';
    try {
      verdict = await accepting;
    } finally {
      this.#accepting.delete(key);
    }
    if (verdict === 'freed') {
      throw new RocksyError('freed', `The key ${key} was freed and may not run again`, {
        hint: 'take a new key; the old one is kept for 30 days',
      });
    }
    if (verdict === 'known') return { known: true, run: this.get(key) ?? run };
    this.#step('journaled');
    this.#live.set(key, run);
    this.subscriptions.emit('queued', run);
    pool.enqueue({ key, file: identity.file, spec: identity.spec });
    if (this.#live.get(key)?.phase.state === 'starting') await this.#changed(key);
    return { known: false, run: this.get(key) ?? run };
  }

  /** Resolves with the run when it next changes for everybody. */
  #changed(key: RunKey): Promise<Run> {
    return new Promise((resolve) => this.#onChange(key, resolve));
  }

  #onChange(key: RunKey, call: (run: Run) => void): () => void {
    const calls = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, calls.add(call));
    return () => {
      calls.delete(call);
      if (calls.size === 0 && this.#waiting.get(key) === calls) this.#waiting.delete(key);
    };
  }

  /** Resolves with the run once it has ended. Rejects when `signal` is aborted, with its reason. */
  async ended(key: RunKey, signal: AbortSignal): Promise<Run> {
    for (;;) {
      signal.throwIfAborted();
      const run = this.get(key);
      if (run === undefined) throw new RocksyError('not_found', `There is no run ${key}`);
      if (run.phase.state === 'ended') return run;
      await new Promise<void>((resolve, reject) => {
        const stop = this.#onChange(key, () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        });
        const onAbort = (): void => {
          stop();
          reject(signal.reason as Error);
        };
        signal.addEventListener('abort', onAbort, { once: true });
      });
    }
  }

  /** Sends a signal to a run's main process. Throws `not_running`. */
  async signal(key: RunKey, signal: number): Promise<void> {
    const holder = this.#holderOfRunning(key);
    const sent =
      holder === null ? this.orphans.signal(key, signal) : await holder.client?.signal(key, signal);
    if (sent !== true) throw new RocksyError('not_running', `The run ${key} does not run`);
  }

  /** Makes a run end. One that waits in the queue ends at once. Throws `not_running`. */
  async cancel(key: RunKey, killAfterMs: number, reason: 'cancel' | 'stop'): Promise<void> {
    const run = this.#live.get(key);
    if (run === undefined) throw new RocksyError('not_running', `The run ${key} has ended`);
    if (run.phase.state === 'queued' && this.#pools?.find(run.identity.pool)?.withdraw(key)) {
      await this.#apply(key, {
        type: 'abandoned',
        outcome: 'cancelled',
        error: 'Cancelled before it began',
        atMs: Date.now(),
      });
      return;
    }
    const holder = this.#pools?.find(run.identity.pool)?.holder(key);
    const sent =
      holder === undefined
        ? this.orphans.cancel(key, killAfterMs, reason)
        : await holder.client?.cancel(key, killAfterMs, reason);
    if (sent !== true) throw new RocksyError('not_running', `The run ${key} does not run`);
  }

  /**
   * Makes all runs end that have begun: SIGTERM, and SIGKILL after `graceMs`. Resolves when their outcomes are in the
   * journal, or when that took `graceMs` and 10 s more. Runs that wait stay in the journal for the next start.
   */
  async stopAll(graceMs: number): Promise<void> {
    this.#stopping = true;
    const begun = [...this.#live.values()]
      .filter((run) => run.phase.state !== 'queued')
      .map((run) => run.identity.key);
    const patience = AbortSignal.timeout(graceMs + 10_000);
    await Promise.all(
      begun.map(async (key) => {
        try {
          await this.cancel(key, graceMs, 'stop');
          await this.ended(key, patience);
        } catch (error) {
          // Either it ended by itself meanwhile, or it can't be ended: the next start finds out what became of it.
          this.#log.debug({ err: error, key }, 'a run was not stopped');
        }
      }),
    );
  }

  #holderOfRunning(key: RunKey): Generation | null {
    const run = this.#live.get(key);
    if (run === undefined) throw new RocksyError('not_running', `The run ${key} has ended`);
    if (run.phase.state === 'queued') throw new RocksyError('not_running', `The run ${key} has not begun`);
    return this.#pools?.find(run.identity.pool)?.holder(key) ?? null;
  }

  onSend(key: RunKey, generation: number): boolean {
    const run = this.#live.get(key);
    const next = run === undefined ? null : change(run, { type: 'sent', generation });
    if (next === null) return false;
    this.#live.set(key, next);
    this.#step('sending');
    return true;
  }

  onRun(pool: Pool, generation: Generation, event: RunEvent): void {
    const key = event.key as RunKey;
    if (!this.#live.has(key)) {
      // Its end was committed before a crash, but not acknowledged.
      if (event.event === 'ended' || event.event === 'refused') pool.release(key);
      return;
    }
    switch (event.event) {
      case 'forked':
        return;
      case 'claimed':
        this.#claimed(key, generation.number, event.pid);
        return;
      case 'ended':
        this.#ended(pool, generation, event);
        return;
      case 'refused':
        this.#refused(pool, generation, event);
        return;
    }
  }

  #claimed(key: RunKey, generation: number, pid: number): void {
    this.#step('claimed');
    void this.#apply(key, { type: 'claimed', generation, pid, atMs: Date.now() });
  }

  #ended(pool: Pool, generation: Generation, event: EndedEvent): void {
    const key = event.key as RunKey;
    this.#step('ended');
    if (!event.claimed) {
      this.#settle(key, event.message ?? 'the child ended before it had begun');
      return;
    }
    const run = this.#live.get(key);
    const file = run === undefined ? null : this.#runFile(pool, run);
    if (run?.phase.state !== 'running') {
      // The news of its claim was told to a daemon that is gone.
      const atMs = file?.claim?.atMs ?? Date.now();
      void this.#apply(key, { type: 'claimed', generation: generation.number, pid: event.pid, atMs });
    }
    const usage = {
      cpuUserMs: event.cpu_user_ms,
      cpuSystemMs: event.cpu_system_ms,
      maxRssBytes: event.max_rss_bytes,
    };
    const exit: Exit = { code: event.code, signal: event.signal, reason: event.reason, usage };
    void this.#apply(key, { type: 'exited', exit, report: file?.report ?? NO_REPORT, atMs: Date.now() });
  }

  #refused(pool: Pool, generation: Generation, event: Extract<RunEvent, { event: 'refused' }>): void {
    const key = event.key as RunKey;
    // It has this key already: news of it have come or will.
    if (event.code === 'known') return;
    if (event.code === 'draining') {
      generation.runs.delete(key);
      this.#settle(key);
      return;
    }
    void this.#apply(key, {
      type: 'abandoned',
      outcome: 'failed',
      error: `could not be started in pool ${pool.name}: ${event.message}`,
      atMs: Date.now(),
    });
  }

  onUnvouched(_pool: Pool, keys: readonly RunKey[]): void {
    for (const key of keys) this.#settle(key);
  }

  #runFile(pool: Pool, run: Run): RunFileContents | null {
    return readRunFile(runFileOf(run, pool));
  }

  /**
   * Finds out what has become of a run for which no zygote speaks. Its claim decides: without one it has not begun and
   * may be started again, since of two children only one can claim.
   * @param failure why its child ended before it had begun, where that is known
   */
  #settle(key: RunKey, failure?: string): void {
    const run = this.#live.get(key);
    if (run === undefined || this.#ending.has(key)) return;
    const pool = this.#pools?.find(run.identity.pool);
    const file = pool === undefined ? null : this.#runFile(pool, run);
    if (pool === undefined || file === null) this.#unclaimed(run, pool, failure);
    else if (file.claim === null) this.#lose(key, 'it was killed while it began', file.report);
    else this.#orphaned(pool, run, file.claim);
  }

  #unclaimed(run: Run, pool: Pool | undefined, failure: string | undefined): void {
    const { key, file, spec } = run.identity;
    if (run.phase.state === 'running') return this.#lose(key, 'its run file is gone', NO_REPORT);
    if (pool === undefined || pool.config.maxRunning === 0)
      failure ??= `the pool ${run.identity.pool} is not configured any more`;
    if (failure !== undefined && !this.#stopping) {
      void this.#apply(key, { type: 'abandoned', outcome: 'failed', error: failure, atMs: Date.now() });
      return;
    }
    const waiting = change(run, { type: 'returned' }) ?? run;
    this.#live.set(key, waiting);
    pool?.release(key);
    pool?.enqueue({ key, file, spec });
  }

  #orphaned(pool: Pool, run: Run, claim: Claim): void {
    const { key } = run.identity;
    if (claim.bootId !== this.#bootId) {
      const { report } = this.#runFile(pool, run) ?? { report: NO_REPORT };
      return this.#lose(key, 'the machine was restarted while it ran', report);
    }
    const generation = 'generation' in run.phase ? (run.phase.generation ?? 0) : 0;
    void this.#apply(key, { type: 'claimed', generation, pid: claim.pid, atMs: claim.atMs });
    pool.hold(key);
    const claimed = { pid: claim.pid, startTime: claim.startTime, uid: pool.ownFile('').ownerUid };
    this.orphans.watch(key, claimed, (exit) => void this.#orphanEnded(pool, run, claim, exit));
    this.#limitOrphan(run, claim);
  }

  /** The timeout of a run was its zygote's to keep. */
  #limitOrphan(run: Run, claim: Claim): void {
    const { timeout_ms: timeoutMs, kill_after_ms: killAfterMs } = run.identity.spec;
    if (timeoutMs === undefined) return;
    const leftMs = Math.max(0, claim.atMs + timeoutMs - Date.now());
    setTimeout(
      () => this.orphans.cancel(run.identity.key, killAfterMs ?? 5000, 'timeout'),
      Math.min(leftMs, 2 ** 31 - 1),
    ).unref();
  }

  async #orphanEnded(pool: Pool, run: Run, claim: Claim, exit: Exit | null): Promise<void> {
    const { key } = run.identity;
    if (!pool.config.leaveChildren) {
      const keep = new Set([...(this.#pools?.zygotePids() ?? []), ...this.orphans.pids(), process.pid]);
      killLeftovers(this.#keeperPid, pool.folder.runs, keep);
    }
    const report = this.#runFile(pool, run)?.report ?? NO_REPORT;
    if (exit === null) this.#lose(key, 'its zygote was gone and nobody saw how it ended', report);
    else void this.#apply(key, { type: 'exited', exit, report, atMs: Date.now() });
    await this.#ending.get(key);
    this.orphans.settled(claim);
  }

  #lose(key: RunKey, error: string, report: typeof NO_REPORT): void {
    void this.#apply(key, { type: 'lost', error: `lost: ${error}`, report, atMs: Date.now() });
  }

  /** Applies news to a run. Resolves when it is in force for everybody: an end, once it is committed. */
  async #apply(key: RunKey, news: RunChange): Promise<void> {
    const run = this.#live.get(key);
    const next = run === undefined || this.#ending.has(key) ? null : change(run, news);
    if (next === null) return;
    if (next.phase.state !== 'ended') {
      this.#live.set(key, next);
      if (next.phase.state === 'running') this.subscriptions.emit('started', next);
      this.#wake(key, next);
      return;
    }
    const recording = this.#record(next);
    this.#ending.set(key, recording);
    await recording;
    this.#step('recorded');
    this.#ending.delete(key);
    this.#live.delete(key);
    this.subscriptions.emit('exited', next);
    this.#wake(key, next);
    this.#pools?.find(next.identity.pool)?.release(key);
  }

  #wake(key: RunKey, run: Run): void {
    const calls = this.#waiting.get(key);
    this.#waiting.delete(key);
    for (const call of calls ?? []) call(run);
  }

  /** An outcome is never given up: while it can't be written, the zygote keeps it and we try again. */
  async #record(run: Run): Promise<void> {
    for (;;) {
      try {
        return await this.#journal.record(run);
      } catch (error) {
        // Its row is gone, by somebody else's hand: there is nothing to keep the outcome in.
        if (error instanceof RocksyError && error.code === 'not_found') return;
        this.#log.error(
          { err: error, key: run.identity.key },
          'an outcome could not be recorded; trying again',
        );
        await wait(RECORD_RETRY_MS, undefined, { ref: false });
      }
    }
  }

  close(): void {
    this.orphans.close();
  }
}
