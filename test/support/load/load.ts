// A load for a daemon, hard on purpose: what clients do, and what networks do to them, with every answer accounted for.
import { setTimeout as wait } from 'node:timers/promises';
import { Helper } from './ipc.ts';
import type { TrafficOptions } from './options.ts';
import { Probes, type Window } from './probes.ts';
import type { Losses, Tally, Work } from './tally.ts';

export { type Losses, NO_LOSSES, type Work } from './tally.ts';

/** Those that must be given, and the others. */
export type LoadOptions = Pick<TrafficOptions, 'addresses' | 'connections' | 'seed' | 'state'> &
  Partial<TrafficOptions>;

/** How long clients that ask continuously had to wait. */
export interface Stall {
  readonly answers: number;
  /** The largest of the medians of the times that it is made of. */
  readonly medianMs: number;
  readonly longestMs: number;
  /** The longest that the measuring process itself was held up. */
  readonly ownDelayMs: number;
}

export interface LoadResult {
  readonly seed: number;
  /** All 0, or something is wrong. Connections of the measuring clients are among those that were cut. */
  readonly losses: Losses;
  readonly work: Work;
  /** What the first losses were. */
  readonly complaints: readonly string[];
  /** While what was given to `during` went on, one entry for each. */
  readonly during: readonly Stall[];
  /** In between: the noise. */
  readonly outside: readonly Stall[];
}

const DEFAULTS = { requestsPerSecond: 600, newcomersPerSecond: 40, patienceMs: 15_000 };
const PROBES = { connections: 8, requestsPerSecond: 500 };
/** What was held up is answered by then. */
const SETTLE_MS = 200;

export class Load implements AsyncDisposable {
  readonly #options: TrafficOptions;
  readonly #traffic: Helper;
  readonly #probes: Probes;
  readonly #during: Window[] = [];
  readonly #outside: Window[] = [];

  private constructor(options: TrafficOptions, traffic: Helper, probes: Probes) {
    this.#options = options;
    this.#traffic = traffic;
    this.#probes = probes;
  }

  /** Resolves when the clients are at work. */
  static async start(given: LoadOptions): Promise<Load> {
    const options = { ...DEFAULTS, ...given };
    await using started = new AsyncDisposableStack();
    const traffic = started.use(new Helper('traffic.ts', options));
    await traffic.ask('start');
    const probes = started.use(
      await Probes.start({ ...PROBES, address: options.addresses[0], dialect: 'rocksy' }),
    );
    started.move();
    return new Load(options, traffic, probes);
  }

  /** Does something to the server; how long clients wait meanwhile is measured apart. */
  async during<T>(act: () => Promise<T>): Promise<T> {
    this.#outside.push(await this.#probes.window());
    try {
      return await act();
    } finally {
      await wait(SETTLE_MS);
      this.#during.push(await this.#probes.window());
    }
  }

  /** Lets all clients finish what they have begun, and tells what came of it. */
  async stop(): Promise<LoadResult> {
    this.#outside.push(await this.#probes.window());
    const { losses, work, complaints } = (await this.#traffic.ask('stop')) as Tally;
    const last = await this.#probes.stop();
    await this[Symbol.asyncDispose]();
    return {
      seed: this.#options.seed,
      losses: withProbes(losses, [...this.#during, ...this.#outside, last]),
      work,
      complaints,
      during: this.#during.map(stall),
      outside: this.#outside.map(stall),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#traffic[Symbol.asyncDispose]();
    await this.#probes[Symbol.asyncDispose]();
  }
}

/**
 * Starts a load; `stop` tells what came of it. The daemon needs a pool `os` of the runtime `command`.
 *
 *     await using load = await startLoad({
 *       addresses: [{ path: daemon.socket }, { port: daemon.tcpPort }],
 *       connections: 200, // 10 at least; of 10,000 most are idle most of the time
 *       seed: 1,
 *       state: daemon.state,
 *     });
 *     await load.during(() => restart());
 *     const { losses, complaints } = await load.stop();
 *     assert.deepEqual(losses, NO_LOSSES, complaints.join('\n'));
 */
export async function startLoad(options: LoadOptions): Promise<Load> {
  return await Load.start(options);
}

function withProbes(losses: Losses, windows: readonly Window[]): Losses {
  const sum = (kind: 'lost' | 'wrong' | 'cut' | 'refused'): number =>
    windows.reduce((total, window) => total + window[kind], losses[kind]);
  return { ...losses, lost: sum('lost'), wrong: sum('wrong'), cut: sum('cut'), refused: sum('refused') };
}

function stall({ answers, medianMs, longestMs, ownDelayMs }: Window): Stall {
  return { answers, medianMs, longestMs, ownDelayMs };
}
