import type { Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { flushed } from '../log/index.ts';
import type { Estate, Heir } from '../takeover/index.ts';
import type { Description, Listeners } from './connections/index.ts';
import { readState, type State, writeState } from './estate.ts';
import type { Journal } from './journal/index.ts';
import type { HostLink } from './link/index.ts';
import type { LogTimes, Told } from './logs/index.ts';
import type { Pools } from './pools/index.ts';
import type { Runs } from './runs/index.ts';
import { step } from './test-kill.ts';

/** How long what is in progress may take to end while everybody is served; longer, and the takeover is off. */
const SETTLE_MS = 5_000;
/** The same for what has begun since, while nothing new is begun. */
const QUIESCE_MS = 1_000;
const LOOK_MS = 2;
/** For the last lines of the log to be taken. */
const FLUSH_MS = 100;

export interface TakeoverParts {
  readonly listeners: Listeners;
  /** It is not handed over: the successor dials its own. What it has begun to write down is waited for. */
  readonly link: HostLink | null;
  readonly pools: Pools;
  readonly runs: Runs;
  readonly journal: Journal;
  readonly growth: { readonly told: readonly Told[] };
  readonly logTimes: LogTimes;
  readonly log: Logger;
  readonly isStopping: () => boolean;
  /** Nothing is ours yet. */
  readonly hasPredecessor: () => boolean;
}

/** The daemon in a takeover, on either side: what of its parts goes over, and how they come to rest before. */
export class DaemonTakeover implements Estate, Heir {
  readonly #parts: TakeoverParts;
  /** What a predecessor has handed over. */
  inherited: State | null = null;

  constructor(parts: TakeoverParts) {
    this.#parts = parts;
  }

  connections(): Iterable<readonly [number, Socket]> {
    return this.#parts.listeners.sockets();
  }

  describe(id: number): Description | null {
    return this.#parts.listeners.describe(id);
  }

  /** Somebody whose request hangs (its zygote is stopped) must not keep all others waiting. */
  async settle(signal: AbortSignal): Promise<void> {
    const until = performance.now() + SETTLE_MS;
    const tasks = this.#parts.listeners.shortTasks();
    for (let left = tasks; left.length > 0; left = left.filter(({ isShort }) => isShort)) {
      if (performance.now() > until) {
        const names = [...new Set(left.map(({ name }) => `'${name}'`))].join(', ');
        throw new Error(`a request (${names}) is not answered and can't be handed over: try again later`);
      }
      await wait(LOOK_MS, undefined, { signal });
    }
    await this.#parts.logTimes.writeAll();
  }

  /** What was taken on goes on to where it is in the journal, or in somebody else's hands; the rest stays untouched. */
  async quiesce(signal: AbortSignal): Promise<void> {
    if (this.#parts.isStopping()) throw new Error('the daemon stops');
    this.#parts.listeners.suspend();
    this.#parts.link?.suspend();
    for (const pool of this.#parts.pools.all) pool.holdNews(true);
    const until = performance.now() + QUIESCE_MS;
    await flushed(this.#parts.log, FLUSH_MS);
    do {
      signal.throwIfAborted();
      if (performance.now() > until)
        throw new Error(`requests or the journal took longer than ${QUIESCE_MS} ms: try again later`);
      // A whole turn: what has been answered just now has put its answer down after it.
      await nextTurn();
    } while (!this.#isAtRest);
    // A `stop` that was answered just now.
    if (this.#parts.isStopping()) throw new Error('the daemon stops');
  }

  get #isAtRest(): boolean {
    const { listeners, link, journal } = this.#parts;
    return listeners.isReadyToGo && link?.isQuiet !== false && journal.pending === 0;
  }

  resume(): void {
    for (const pool of this.#parts.pools.all) pool.holdNews(false);
    this.#parts.listeners.resume();
    this.#parts.link?.resume();
  }

  state(): Uint8Array {
    const { saved, pieces } = this.#parts.listeners.save();
    const draining = this.#parts.pools.configured.filter((pool) => pool.isDraining).map((pool) => pool.name);
    const { told } = this.#parts.growth;
    const { ending } = this.#parts.runs.orphans;
    return writeState({ connections: saved, runs: this.#parts.runs.begun(), ending, told, draining }, pieces);
  }

  connection(id: number, socket: Socket, description: unknown): void {
    this.#parts.listeners.pass(id, socket, description as Description);
  }

  gone(): void {
    // The socket's own end has been noticed.
  }

  /** What it leaves behind is collected now: later, whoever waits would wait for that too. */
  rehearse(bytes: Buffer): void {
    readState(bytes);
    globalThis.gc?.();
  }

  adopt(bytes: Buffer): void {
    const { header, take } = readState(bytes);
    this.#parts.listeners.adopt(header.connections, take);
    this.inherited = header;
  }

  step(name: string): void {
    step(name, this.#parts.hasPredecessor() ? 'successor' : 'predecessor');
  }
}
