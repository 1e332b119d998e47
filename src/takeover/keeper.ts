// The keeper: the process that stays. Lock, sockets, worker, signals, orphans; every decision is lifecycle.ts's.
import { raiseDescriptorLimit, setChildSubreaper } from '../posix/index.ts';
import { type Action, begin, type Event, next, type State, type Step, type WorkerEnd } from './lifecycle.ts';
import { Listeners } from './listeners.ts';
import { acquireLock } from './lock.ts';
import { type KeeperSignal, keeperSignals, type Orphan, type Parsed, type ToKeeper } from './messages.ts';
import type { KeeperOptions } from './options.ts';
import { Orphans, reapOrphans } from './orphans.ts';
import type { Patience } from './waiting.ts';
import { WorkerProcess } from './worker-process.ts';

const ORPHANS_KEPT = 10_000;
/** So many orphans go in one message: a worker that comes back to 10,000 of them must not block the channel. */
const ORPHANS_PER_MESSAGE = 500;
const DEFAULT_OPEN_FILES = 65_536;

/**
 * Runs this process as a keeper until it is stopped, and returns the exit code for it. Rejects with a KeeperError when
 * lock or addresses are not free within `waitMs`. Call it once, on the main thread: a worker dies with the thread that
 * started it (PR_SET_PDEATHSIG in prctl(2)).
 *
 * Signals: SIGHUP and SIGUSR2 are passed on. SIGTERM and SIGINT stop: passed on, the worker says `stopping` and exits,
 * its exit code (0 as a rule; 128 + N after signal N) is the keeper's. All of them are kept until the worker is ready.
 * A second SIGTERM or SIGINT kills the worker; the exit code is then 128 + that signal's number. A stop while no worker
 * runs, or before it was ready and it then dies, is 0.
 *
 * @example process.exitCode = await runKeeper({ listeners: [...], lockDir: '/var/lib/x', entry: '/opt/x/current/worker.js', ... });
 */
export async function runKeeper(options: KeeperOptions): Promise<number> {
  const early = catchEarlySignals();
  const openFiles = raiseDescriptorLimit(options.openFiles ?? DEFAULT_OPEN_FILES);
  setChildSubreaper();
  const patience: Patience = {
    deadlineMs: performance.now() + options.waitMs,
    signal: early.stop,
    onWait: (error) => options.log('info', `waiting: ${error.message}`, {}),
  };
  const listeners = new Listeners();
  try {
    const lock = await acquireLock(options.lockDir, patience);
    try {
      for (const listener of options.listeners) {
        const { address } = await listeners.open(listener, patience);
        options.log('info', 'listening', { listener: listener.name, address });
      }
      options.log('info', 'keeper started', { pid: process.pid, openFiles });
      const keeper = new Keeper(options, listeners);
      const exitCode = keeper.run();
      for (const signal of early.take()) keeper.signal(signal);
      return await exitCode;
    } finally {
      listeners.close();
      lock.release();
    }
  } catch (error) {
    if (early.stop.aborted && error instanceof Error && error.name === 'AbortError') return 0;
    throw error;
  } finally {
    early.take();
  }
}

/** Signals from before there is a keeper that could decide about them. A stop ends the waiting for lock and addresses. */
function catchEarlySignals(): { stop: AbortSignal; take(): readonly KeeperSignal[] } {
  const stop = new AbortController();
  const caught: KeeperSignal[] = [];
  const removers = keeperSignals.map((signal) => {
    const listener = (): void => {
      caught.push(signal);
      if (signal === 'SIGTERM' || signal === 'SIGINT') stop.abort();
    };
    process.on(signal, listener);
    return () => process.off(signal, listener);
  });
  return {
    stop: stop.signal,
    take() {
      for (const remove of removers.splice(0)) remove();
      return caught.splice(0);
    },
  };
}

class Keeper {
  readonly #options: KeeperOptions;
  readonly #listeners: Listeners;
  readonly #orphans = new Orphans(ORPHANS_KEPT);
  readonly #exit = Promise.withResolvers<number>();
  readonly #first: Step;
  #state: State;
  #worker: WorkerProcess | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: KeeperOptions, listeners: Listeners) {
    this.#options = options;
    this.#listeners = listeners;
    this.#first = begin(options);
    this.#state = this.#first.state;
  }

  run(): Promise<number> {
    for (const signal of keeperSignals) process.on(signal, this.signal);
    // Signals may be merged, so one SIGCHLD stands for any number of children: signal(7). libuv listens too, and
    // reaps the children that it started and no other: uv__wait_children in deps/uv/src/unix/process.c.
    process.on('SIGCHLD', this.#reap);
    this.#take(this.#first);
    return this.#exit.promise;
  }

  readonly signal = (signal: NodeJS.Signals): void => {
    const known = keeperSignals.find((name) => name === signal);
    if (known === undefined) return;
    this.#options.log('info', `got ${signal}`, { phase: this.#state.phase });
    this.#dispatch({ type: 'signal', signal: known });
  };

  #dispatch(event: Event): void {
    this.#take(next(this.#state, event, this.#options));
  }

  #take({ state, actions }: Step): void {
    if (state.phase !== this.#state.phase) clearTimeout(this.#timer);
    this.#state = state;
    for (const action of actions) this.#do(action);
    if (state.phase === 'ended') this.#finish(state.exitCode);
  }

  #do(action: Action): void {
    switch (action.do) {
      case 'start':
        this.#startWorker();
        break;
      case 'welcome':
        this.#options.log('info', 'worker ready', { pid: this.#worker?.pid });
        this.#sendOrphans(this.#orphans.unacknowledged);
        break;
      case 'forward':
        this.#worker?.send({ t: 'signal', signal: action.signal }, this.#onLost);
        break;
      case 'kill':
        this.#options.log('warn', `killing the worker: ${action.why}`, { pid: this.#worker?.pid });
        this.#worker?.kill();
        break;
      case 'arm':
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#dispatch({ type: 'timer' }), action.ms);
        break;
      case 'report':
        this.#report(action.end, action.restartInMs);
        break;
    }
  }

  #startWorker(): void {
    try {
      const worker = new WorkerProcess(this.#options, this.#listeners.all, {
        message: (parsed) => this.#onMessage(parsed),
        reaped: this.#reap,
        gone: (end) => this.#onGone(end),
      });
      this.#worker = worker;
      this.#options.log('info', 'worker started', { pid: worker.pid, entry: worker.entry });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      setImmediate(() => this.#onGone({ how: 'not-started', reason })); // after the step that asked for it
    }
  }

  #onGone(end: WorkerEnd): void {
    this.#worker = null;
    this.#dispatch({ type: 'gone', end, atMs: performance.now() });
  }

  #onMessage(parsed: Parsed<ToKeeper>): void {
    if (!parsed.ok) {
      this.#options.log('error', parsed.reason, { pid: this.#worker?.pid });
      if (parsed.why === 'version') this.#dispatch({ type: 'refused' });
      return;
    }
    const { message } = parsed;
    switch (message.t) {
      case 'ready':
        this.#dispatch({ type: 'ready', atMs: performance.now() });
        break;
      case 'stopping':
        this.#options.log('info', 'worker is stopping', { pid: this.#worker?.pid });
        this.#dispatch({ type: 'stopping' });
        break;
      case 'acknowledge':
        this.#orphans.acknowledge(message.ids);
        break;
    }
  }

  /** Reaps the orphans that have ended. The worker itself is libuv's, whose 'exit' event calls this again. */
  readonly #reap = (): void => {
    const fresh: Orphan[] = [];
    for (const end of reapOrphans((pid) => this.#worker?.owns(pid) ?? false)) {
      const { added, dropped } = this.#orphans.add(end);
      fresh.push(added);
      if (dropped !== null)
        this.#options.log('warn', 'the status of an orphan was dropped: too many wait', { ...dropped });
    }
    const { phase } = this.#state;
    if (phase === 'serving' || phase === 'stopping') this.#sendOrphans(fresh);
  };

  #sendOrphans(orphans: readonly Orphan[]): void {
    for (let at = 0; at < orphans.length; at += ORPHANS_PER_MESSAGE) {
      this.#worker?.send(
        { t: 'orphans', orphans: orphans.slice(at, at + ORPHANS_PER_MESSAGE) },
        this.#onLost,
      );
    }
  }

  readonly #onLost = (error: Error): void => {
    this.#options.log('debug', 'a message did not reach the worker', { error: error.message });
  };

  #report(end: WorkerEnd, restartInMs: number | null): void {
    const level = restartInMs === null ? 'info' : 'error';
    this.#options.log(level, restartInMs === null ? 'worker ended' : 'worker died', { ...end, restartInMs });
  }

  #finish(exitCode: number): void {
    clearTimeout(this.#timer);
    for (const signal of keeperSignals) process.off(signal, this.signal);
    process.off('SIGCHLD', this.#reap);
    const lost = this.#orphans.unacknowledged.length;
    if (lost > 0)
      this.#options.log('warn', 'statuses of orphans end with the keeper, unacknowledged', { orphans: lost });
    this.#options.log('info', 'keeper ended', { exitCode });
    this.#exit.resolve(exitCode);
  }
}
