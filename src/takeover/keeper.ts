// The keeper: the process that stays. Lock, sockets, worker, signals, orphans; every decision is lifecycle.ts's.
import { closeSync } from 'node:fs';
import { MAX_DESCRIPTORS, raiseDescriptorLimit, setChildSubreaper, socketpair } from '../posix/index.ts';
import { type Action, begin, type Event, next, type State, type Step, type WorkerEnd } from './lifecycle.ts';
import { Listeners } from './listeners.ts';
import { acquireLock } from './lock.ts';
import { type KeeperSignal, keeperSignals, type Orphan, type Parsed, type ToKeeper } from './messages.ts';
import { ServiceManager, withoutServiceVariables } from './notify.ts';
import type { KeeperOptions, ListenerOptions } from './options.ts';
import { Orphans, reapOrphans } from './orphans.ts';
import type { Patience } from './waiting.ts';
import { WorkerProcess } from './worker-process.ts';

const ORPHANS_KEPT = 10_000;
/** So many orphans go in one message: a worker that comes back to 10,000 of them must not block the channel. */
const ORPHANS_PER_MESSAGE = 500;
const DEFAULT_OPEN_FILES = 65_536;
const LOOKUP_MS = 10_000;

/**
 * Runs this process as a keeper until it is stopped, and returns the exit code for it. Rejects with a KeeperError when
 * lock or addresses are not free within `waitMs`. Call it once, on the main thread: a worker dies with the thread that
 * started it (PR_SET_PDEATHSIG in prctl(2)).
 *
 * A worker may ask to be replaced: a second one is started, loads everything, and takes over, or is killed when it can't.
 *
 * Signals: SIGHUP and SIGUSR2 are passed on; during a takeover, to whoever serves after it. SIGTERM and SIGINT stop: passed on, the worker says `stopping` and exits,
 * its exit code (0 as a rule; 128 + N after signal N) is the keeper's. All of them are kept until the worker is ready.
 * A second SIGTERM or SIGINT kills the worker; the exit code is then 128 + that signal's number. A stop while no worker
 * runs, or before it was ready and it then dies, is 0.
 *
 * @example process.exitCode = await runKeeper({ listeners: [...], lockDir: '/var/lib/x', entry: '/opt/x/current/worker.js', ... });
 */
export async function runKeeper(given: KeeperOptions): Promise<number> {
  const options = { ...given, env: withoutServiceVariables(given.env) };
  const early = catchEarlySignals();
  const manager = ServiceManager.take(process.env, options.log);
  const openFiles = raiseDescriptorLimit(options.openFiles ?? DEFAULT_OPEN_FILES);
  setChildSubreaper();
  const patience: Patience = {
    deadlineMs: performance.now() + options.waitMs,
    signal: early.stop,
    onWait: (error) => {
      options.log('info', `waiting: ${error.message}`, {});
      manager.status(`waiting: ${error.message}`);
    },
  };
  const listeners = new Listeners(manager.inherited);
  try {
    const lock = await acquireLock(options.lockDir, patience);
    try {
      for (const listener of options.listeners) {
        const { address } = await listeners.open(listener, patience);
        options.log('info', 'listening', { listener: listener.name, address });
      }
      manager.dropInherited();
      options.log('info', 'keeper started', { openFiles });
      const keeper = new Keeper(options, listeners, manager);
      const exitCode = keeper.run();
      for (const signal of early.take()) keeper.signal(signal);
      return await exitCode;
    } finally {
      listeners.close(manager.holdsSockets ? 'keep files' : 'remove files');
      lock.release();
    }
  } catch (error) {
    if (early.stop.aborted && error instanceof Error && error.name === 'AbortError') return 0;
    manager.status(`could not start: ${error instanceof Error ? error.message : error}`);
    throw error;
  } finally {
    manager.close();
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
  readonly #manager: ServiceManager;
  readonly #orphans = new Orphans(ORPHANS_KEPT);
  readonly #exit = Promise.withResolvers<number>();
  readonly #first: Step;
  #state: State;
  #worker: WorkerProcess | null = null;
  #successor: WorkerProcess | null = null;
  /** Every process of ours that libuv has not reaped, also one that was replaced or called off. */
  readonly #processes = new Set<WorkerProcess>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: KeeperOptions, listeners: Listeners, manager: ServiceManager) {
    this.#options = options;
    this.#listeners = listeners;
    this.#manager = manager;
    this.#first = begin(options);
    this.#state = this.#first.state;
  }

  run(): Promise<number> {
    for (const signal of keeperSignals) process.on(signal, this.signal);
    // Signals may be merged, so one SIGCHLD stands for any number of children: signal(7). libuv listens too, and
    // reaps the children that it started and no other: uv__wait_children in deps/uv/src/unix/process.c.
    process.on('SIGCHLD', this.#reap);
    this.#manager.store(this.#listeners.all);
    this.#take(this.#first);
    this.#manager.watch(() => ({ state: this.#state, workerPid: this.#worker?.pid ?? null }));
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

  #take(step: Step): void {
    const { state, actions } = step;
    const before = this.#state;
    if (state.phase !== before.phase) clearTimeout(this.#timer);
    this.#state = state;
    for (const action of actions) this.#do(action);
    this.#manager.tell(before, step, this.#worker?.pid ?? null, this.#successor?.output ?? '');
    if (state.phase === 'ended') this.#finish(state.exitCode);
  }

  #do(action: Action): void {
    switch (action.do) {
      case 'start':
        this.#startWorker();
        break;
      case 'welcome':
        this.#options.log('info', 'worker ready', { worker: this.#worker?.pid });
        this.#closeUnwanted();
        this.#manager.store(this.#listeners.all);
        this.#sendOrphans(this.#orphans.unacknowledged);
        break;
      case 'forward':
        this.#worker?.send({ t: 'signal', signal: action.signal }, this.#onLost);
        break;
      case 'kill':
        this.#options.log('warn', `killing the worker: ${action.why}`, { worker: this.#worker?.pid });
        this.#worker?.kill();
        break;
      case 'start-successor':
        this.#startSuccessor();
        break;
      case 'introduce':
        this.#introduce();
        break;
      case 'kill-successor':
        this.#successor?.kill();
        break;
      case 'promote':
        this.#worker = this.#successor;
        this.#successor = null;
        break;
      case 'leave-alone':
        this.#worker?.send({ t: 'alone' }, this.#onLost);
        break;
      case 'refuse':
        this.#refuse(action.reason);
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
      this.#worker = this.#start('first');
      this.#options.log('info', 'worker started', { worker: this.#worker.pid, entry: this.#worker.entry });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      setImmediate(() => this.#dispatch(workerGone({ how: 'not-started', reason }))); // after the step that asked for it
    }
  }

  #startSuccessor(): void {
    try {
      this.#successor = this.#start('successor');
      const { pid, entry } = this.#successor;
      this.#options.log('info', 'takeover begun', { successor: pid, entry, from: this.#worker?.pid });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      setImmediate(() => this.#dispatch({ type: 'successor-gone', end: { how: 'not-started', reason } }));
    }
  }

  #start(role: 'first' | 'successor'): WorkerProcess {
    const worker = new WorkerProcess(role, this.#options, this.#listeners.all, {
      message: (parsed) => this.#onMessage(worker, parsed),
      reaped: () => {
        this.#processes.delete(worker);
        this.#reap();
      },
      gone: (end) => this.#onGone(worker, end),
    });
    this.#processes.add(worker);
    return worker;
  }

  #onGone(worker: WorkerProcess, end: WorkerEnd): void {
    this.#processes.delete(worker);
    // What was opened for one that never served is nobody's wish any more. (A successor is asked before it is promoted.)
    if (worker.opened.size > 0) this.#closeOpened(worker);
    if (worker === this.#worker) {
      this.#worker = null;
      this.#dispatch(workerGone(end));
    } else if (worker === this.#successor) {
      this.#dispatch({ type: 'successor-gone', end });
      this.#successor = null;
    }
  }

  #introduce(): void {
    const dispatches = socketpair('seqpacket');
    const answers = socketpair('stream');
    try {
      const [worker, successor] = [this.#worker, this.#successor];
      if (worker?.pass([dispatches[0], answers[0]]) !== true) return;
      if (successor?.pass([dispatches[1], answers[1]]) !== true) return;
      successor.send({ t: 'succeed' }, this.#onLost);
      worker.send({ t: 'hand-over', timeoutMs: this.#options.takeoverTimeoutMs }, this.#onLost);
    } catch (error) {
      // One of the two is dead, which its end says too.
      this.#options.log('debug', 'no introduction', { error: String(error) });
    } finally {
      for (const fd of [...dispatches, ...answers]) closeSync(fd);
    }
  }

  #refuse(reason: string): void {
    const output = this.#successor?.output ?? '';
    this.#options.log('error', 'takeover refused', { reason, worker: this.#worker?.pid });
    this.#worker?.send({ t: 'refused', reason, output }, this.#onLost);
  }

  #onMessage(worker: WorkerProcess, parsed: Parsed<ToKeeper>): void {
    const isSuccessor = worker === this.#successor;
    if (!isSuccessor && worker !== this.#worker) return; // replaced, or called off
    if (!parsed.ok) {
      this.#options.log('error', parsed.reason, { worker: worker.pid });
      if (parsed.why === 'version') this.#dispatch({ type: isSuccessor ? 'successor-refused' : 'refused' });
      return;
    }
    const { message } = parsed;
    switch (message.t) {
      case 'ready':
        worker.opened.clear();
        this.#dispatch({ type: isSuccessor ? 'succeeded' : 'ready', atMs: performance.now() });
        break;
      case 'prepared':
        if (isSuccessor) this.#dispatch({ type: 'prepared' });
        break;
      case 'listen':
        void this.#listen(worker, message.listeners);
        break;
      case 'stopping':
        if (isSuccessor) break;
        this.#options.log('info', 'worker is stopping', { worker: worker.pid });
        this.#dispatch({ type: 'stopping' });
        break;
      case 'takeover':
        if (!isSuccessor) this.#dispatch({ type: 'takeover' });
        break;
      case 'thawed':
        if (!isSuccessor) this.#dispatch({ type: 'thawed', reason: message.reason });
        break;
      case 'acknowledge':
        this.#orphans.acknowledge(message.ids);
        break;
    }
  }

  /** Opens what is missing, without patience: whoever has the address would have to be stopped first. */
  async #listen(worker: WorkerProcess, wanted: readonly ListenerOptions[]): Promise<void> {
    try {
      for (const listener of wanted.filter(({ name }) => !this.#listeners.has(name))) {
        const patience = { deadlineMs: 0, signal: AbortSignal.timeout(LOOKUP_MS), onWait: () => undefined };
        const { address } = await this.#listeners.open(listener, patience);
        worker.opened.add(listener.name);
        this.#options.log('info', 'listening', { listener: listener.name, address });
      }
      if (!this.#processes.has(worker)) {
        this.#closeOpened(worker);
        return;
      }
      const names = new Set(wanted.map(({ name }) => name));
      worker.wanted = names;
      const held = this.#listeners.all.filter(({ options }) => worker.opened.has(options.name));
      for (let at = 0; at < held.length; at += MAX_DESCRIPTORS)
        worker.pass(held.slice(at, at + MAX_DESCRIPTORS).map(({ fd }) => fd));
      worker.send({ t: 'listening', names: held.map(({ options }) => options.name) }, this.#onLost);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#closeOpened(worker);
      if (this.#processes.has(worker)) worker.send({ t: 'not-listening', reason }, this.#onLost);
    }
  }

  #closeOpened(worker: WorkerProcess): void {
    const rest = this.#listeners.all
      .map(({ options }) => options.name)
      .filter((name) => !worker.opened.has(name));
    this.#listeners.closeOthers(new Set(rest));
    worker.opened.clear();
  }

  #closeUnwanted(): void {
    const wanted = this.#worker?.wanted;
    if (!wanted) return;
    const closed = this.#listeners.closeOthers(wanted);
    if (closed.length > 0) this.#options.log('info', 'listeners closed', { listeners: closed });
  }

  /** Reaps the orphans that have ended. The worker itself is libuv's, whose 'exit' event calls this again. */
  readonly #reap = (): void => {
    const fresh: Orphan[] = [];
    for (const end of reapOrphans((pid) => [...this.#processes].some((worker) => worker.owns(pid)))) {
      const { added, dropped } = this.#orphans.add(end);
      fresh.push(added);
      if (dropped !== null)
        this.#options.log('warn', 'the status of an orphan was dropped: too many wait', { ...dropped });
    }
    const { phase } = this.#state;
    // During a takeover too: what the one that leaves has not acknowledged the other is told again.
    if (phase === 'serving' || phase === 'taking-over' || phase === 'stopping') this.#sendOrphans(fresh);
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

function workerGone(end: WorkerEnd): Event {
  return { type: 'gone', end, atMs: performance.now() };
}
