import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { RocksyError, type RunKey } from '../../wire/index.ts';
import type { EndedEvent, RunEvent, ZygoteClient } from '../../zygote/index.ts';
import type { Journal } from '../journal/index.ts';
import type { Generation, Pool, PoolListener, Pools } from '../pools/index.ts';
import { runFileOf } from './files.ts';
import { Orphans } from './orphans.ts';
import { Recovery, type Registry } from './recovery.ts';
import {
  change,
  type Exit,
  NO_REPORT,
  type Phase,
  type Run,
  type RunChange,
  type RunIdentity,
} from './run.ts';
import { type RunFileContents, readRunFile } from './runfile.ts';
import { Subscriptions } from './subscriptions.ts';

const RECORD_RETRY_MS = 1_000;
const TELL_TRIES = 3;

/** A run that has begun, and how it stands. */
export type BegunRun = readonly [key: RunKey, phase: Exclude<Phase, { state: 'queued' | 'ended' }>];

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
  readonly #recovery: Recovery;
  readonly #journal: Journal;
  readonly #log: Logger;
  readonly #step: (name: string) => void;
  readonly #live = new Map<RunKey, Run>();
  /** Runs whose row is on its way to the disk: not known to anybody yet. */
  readonly #accepting = new Map<RunKey, Promise<'accepted' | 'known' | 'freed'>>();
  /** Runs whose end is on its way to the disk: still running to everybody. */
  readonly #ending = new Map<RunKey, Promise<void>>();
  readonly #waiting = new Map<RunKey, Set<(run: Run) => void>>();
  /** Runs whose files are being removed: their keys are taken until that is done. */
  readonly #freeing = new Map<RunKey, Promise<unknown>>();
  #pools: Pools | null = null;

  constructor(options: RunsOptions) {
    this.#journal = options.journal;
    this.#log = options.log;
    this.#step = options.step;
    this.orphans = new Orphans(options.acknowledgeOrphan);
    this.#recovery = new Recovery(this.#asRegistry(), this.orphans, options.log, options.keeperPid);
  }

  #asRegistry(): Registry {
    return {
      live: { [Symbol.iterator]: () => this.#live.values() },
      going: (key) => (this.#ending.has(key) ? undefined : this.#live.get(key)),
      poolOf: (run) => this.#pools?.find(run.identity.pool),
      zygotePids: () => this.#pools?.zygotePids() ?? [],
      apply: (key, news) => this.#apply(key, news),
      giveBack: (run) => this.#giveBack(run),
      ended: async (key) => this.#ending.get(key),
    };
  }

  #giveBack(run: Run): void {
    const waiting = change(run, { type: 'returned' }) ?? run;
    this.#live.set(run.identity.key, waiting);
    this.#wake(run.identity.key, waiting);
  }

  /**
   * Loads the runs that had not ended; their fate is known after the pools have adopted what they found.
   * @param begun how those stood that had begun, where a predecessor has told it
   */
  load(pools: Pools, begun: readonly BegunRun[] = []): void {
    this.#pools = pools;
    const phases = new Map(begun);
    for (const { identity } of this.#journal.unfinished()) {
      const phase = phases.get(identity.key) ?? { state: 'queued' };
      this.#live.set(identity.key, { identity, phase });
    }
  }

  /** The runs that have begun and not ended: what the journal does not know of them. */
  begun(): BegunRun[] {
    const begun: BegunRun[] = [];
    for (const [key, { phase }] of this.#live) {
      if (phase.state === 'starting' || phase.state === 'running') begun.push([key, phase]);
    }
    return begun;
  }

  /** Decides about every run of a pool that no zygote vouches for, now that all of them have been heard. */
  recover(pool: Pool): void {
    for (const run of this.#live.values()) {
      if (run.identity.pool === pool.name && pool.holder(run.identity.key) === undefined)
        this.#recovery.settle(run.identity.key);
    }
  }

  /** Runs of pools of which not even a folder is left. */
  recoverHomeless(): void {
    for (const run of this.#live.values()) {
      if (this.#pools?.find(run.identity.pool) === undefined) this.#recovery.settle(run.identity.key);
    }
  }

  get(key: RunKey): Run | undefined {
    return this.#live.get(key) ?? this.#journal.get(key);
  }

  /** A run that has not ended; without a look into the journal. */
  liveRun(key: RunKey): Run | undefined {
    return this.#live.get(key);
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
   * @param accepted called when it is in the journal; what is left is to wait until it has begun, as `hasBegun` does
   */
  async start(
    identity: RunIdentity,
    pool: Pool,
    bytes: number,
    accepted: () => void,
  ): Promise<{ known: boolean; run: Run }> {
    const { key } = identity;
    // Of two requests with one key at the same time the second waits for the first one's commit, and is told of it.
    const before = this.#accepting.get(key) ?? this.#freeing.get(key);
    if (before !== undefined) await Promise.allSettled([before]);
    const live = this.#live.get(key);
    if (live !== undefined) return { known: true, run: live };
    try {
      pool.admit();
    } catch (error) {
      // A key that is known is answered also where nothing new is admitted.
      const known = this.get(key);
      if (known !== undefined) return { known: true, run: known };
      throw error;
    }
    const run: Run = { identity, phase: { state: 'queued' } };
    const accepting = this.#journal.accept(run);
    this.#accepting.set(key, accepting);
    let verdict: 'accepted' | 'known' | 'freed';
    try {
      verdict = await accepting;
    } finally {
      this.#accepting.delete(key);
      pool.settleAdmission();
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
    pool.enqueue({ key, file: identity.file, spec: identity.spec, bytes });
    accepted();
    return { known: false, run: await this.hasBegun(key) };
  }

  /** The run as soon as it does not just begin. Throws `not_found`. */
  async hasBegun(key: RunKey): Promise<Run> {
    const run = this.get(key);
    if (run === undefined) throw new RocksyError('not_found', `There is no run ${key}`);
    return run.phase.state === 'starting' ? this.#changed(key) : run;
  }

  /** Keeps a key taken while its files and its row are removed, so that nobody's new run loses its own. */
  async freeing<T>(key: RunKey, work: () => Promise<T>): Promise<T> {
    await Promise.allSettled([this.#freeing.get(key)]);
    const working = work();
    this.#freeing.set(key, working);
    try {
      return await working;
    } finally {
      if (this.#freeing.get(key) === working) this.#freeing.delete(key);
    }
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

  /** A run that goes on, also one whose row is on the disk already and our word of that still on its way. */
  async #unended(key: RunKey): Promise<Run> {
    const accepting = this.#accepting.get(key);
    // `start` has waited for it longer, so it has the run among the live ones by now.
    if (accepting !== undefined) await Promise.allSettled([accepting]);
    const run = this.#live.get(key);
    if (run === undefined) throw new RocksyError('not_running', `The run ${key} has ended`);
    return run;
  }

  /** Sends a signal to a run's main process. Throws `not_running`. */
  async signal(key: RunKey, signal: number): Promise<void> {
    const run = await this.#unended(key);
    if (run.phase.state === 'queued') throw new RocksyError('not_running', `The run ${key} has not begun`);
    await this.#tell(
      run,
      (client) => client.signal(key, signal),
      () => this.orphans.signal(key, signal),
    );
  }

  /** Makes a run end. One that waits in the queue ends at once. Throws `not_running`. */
  async cancel(key: RunKey, killAfterMs: number, reason: 'cancel' | 'stop'): Promise<void> {
    const run = await this.#unended(key);
    if (run.phase.state === 'queued' && this.#pools?.find(run.identity.pool)?.withdraw(key)) {
      const error = 'Cancelled before it began';
      await this.#apply(key, { type: 'abandoned', outcome: 'cancelled', error, atMs: Date.now() });
      return;
    }
    await this.#tell(
      run,
      (client) => client.cancel(key, killAfterMs, reason),
      () => this.orphans.cancel(key, killAfterMs, reason),
    );
  }

  /** Asks whoever has the run: its zygote, over the next session when this one breaks, or us, when that is dead. */
  async #tell(
    run: Run,
    ask: (client: ZygoteClient) => Promise<boolean>,
    askOrphan: () => boolean,
  ): Promise<void> {
    const { key, pool } = run.identity;
    for (let tries = 0; tries < TELL_TRIES; tries++) {
      const holder = this.#pools?.find(pool)?.holder(key);
      const client = await holder?.session();
      if (!client) {
        if (askOrphan()) return;
        break;
      }
      try {
        if (await ask(client)) return;
        break;
      } catch (error) {
        this.#log.debug({ err: error, key }, 'the session ended over a request; asking again');
      }
    }
    throw new RocksyError('not_running', `The run ${key} does not run`);
  }

  /**
   * Makes all runs end that have begun: SIGTERM, and SIGKILL after `graceMs`. Resolves when their outcomes are in the
   * journal, or when that took `graceMs` and 10 s more. Runs that wait stay in the journal for the next start.
   */
  async stopAll(graceMs: number): Promise<void> {
    this.#recovery.stop();
    const begun = [...this.#live.values()]
      .filter((run) => run.phase.state !== 'queued')
      .map((run) => run.identity.key);
    const patience = AbortSignal.timeout(graceMs + 10_000);
    const stop = async (key: RunKey): Promise<void> => {
      try {
        await this.cancel(key, graceMs, 'stop');
      } catch (error) {
        this.#log.debug({ err: error, key }, 'a run was not told to stop');
      }
      await this.#settled(key, patience);
    };
    await Promise.all(begun.map(stop));
  }

  /** Resolves when the run has ended or waits again; without a word also when patience does. */
  async #settled(key: RunKey, patience: AbortSignal): Promise<void> {
    while (!patience.aborted && (this.#live.get(key)?.phase.state ?? 'queued') !== 'queued') {
      await new Promise<void>((resolve) => {
        const stop = this.#onChange(key, () => resolve());
        patience.addEventListener('abort', () => resolve(stop()), { once: true });
      });
    }
  }

  onSend(key: RunKey, generation: number): boolean {
    const run = this.#live.get(key);
    const next = run === undefined ? null : change(run, { type: 'sent', generation });
    if (next === null) return false;
    this.#live.set(key, next);
    this.#step('sending');
    return true;
  }

  expects(pool: Pool, key: RunKey): boolean {
    return this.#live.get(key)?.identity.pool === pool.name;
  }

  onRun(pool: Pool, generation: Generation, event: RunEvent): void {
    const key = event.key as RunKey;
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
    const run = this.#live.get(key);
    if (run === undefined) return;
    let file: RunFileContents | null;
    try {
      file = readRunFile(runFileOf(run, pool));
    } catch (error) {
      // No descriptor left, or the disk fails. The zygote keeps the outcome meanwhile.
      this.#log.error({ err: error, key }, 'a run file can not be read; trying again');
      setTimeout(() => this.#ended(pool, generation, event), RECORD_RETRY_MS).unref();
      return;
    }
    if (!event.claimed && !diedClaiming(event, file)) {
      this.#notBegun(generation, event);
      return;
    }
    if (run.phase.state !== 'running') {
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

  /** The child has ended and its key is not claimed, or by somebody else. */
  #notBegun(generation: Generation, { key: text, message, signal, reason }: EndedEvent): void {
    const key = text as RunKey;
    generation.runs.delete(key);
    generation.client?.acknowledge(key);
    // Somebody has killed it, memory was short perhaps: the next time it may well begin.
    const again = signal !== null && reason === null;
    const error = message ?? 'the child ended before it had begun';
    if (again) this.#log.warn({ key, why: error }, 'a run has not begun; it is started again');
    this.#recovery.settle(key, { outcome: reason === 'cancel' ? 'cancelled' : 'failed', error, again });
  }

  #refused(pool: Pool, generation: Generation, event: Extract<RunEvent, { event: 'refused' }>): void {
    const key = event.key as RunKey;
    // `known` is said of a run that ended long ago and whose key is free again, but not there: acknowledged, it is.
    if (event.code === 'known') generation.client?.acknowledge(key);
    if (event.code === 'known' || event.code === 'draining') {
      this.#recovery.settle(key);
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
    for (const key of keys) this.#recovery.settle(key);
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
    this.#recovery.forget(key);
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

/** It was killed after it had claimed its key and before its zygote was told. */
function diedClaiming({ pid, signal }: EndedEvent, file: RunFileContents | null): boolean {
  return signal !== null && file?.claim?.pid === pid;
}
