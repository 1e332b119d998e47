import type { Address } from './address.ts';
import type { DialectName } from './dialects.ts';
import { Helper } from './ipc.ts';

export interface ProbeOptions {
  readonly address: Address;
  /** Long-lived connections, each of which asks now and then. */
  readonly connections: number;
  /** Requests of all connections together. */
  readonly requestsPerSecond: number;
  readonly dialect: DialectName;
}

/** What the measuring clients saw within some time. */
export interface Window {
  readonly answers: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  /** The longest that any client waited, from a request (or the cut of its connection) to the next answer. */
  readonly longestMs: number;
  /** The longest that the measuring process itself was held up: some of what it measured is its own. */
  readonly ownDelayMs: number;
  /** Connections that the server closed or reset after it had served them. */
  readonly cut: number;
  /** Requests in progress on these, which remained without an answer; in the last window those on others as well. */
  readonly lost: number;
  /** Answers that are not what was asked for. */
  readonly wrong: number;
  /** Attempts to connect that were refused, or cut before any answer. */
  readonly refused: number;
}

/** Clients that ask continuously and measure how long they wait, in a process of their own. */
export class Probes implements AsyncDisposable {
  readonly #helper: Helper;

  private constructor(helper: Helper) {
    this.#helper = helper;
  }

  /** Connects; resolves when every client has had its first answer. */
  static async start(options: ProbeOptions): Promise<Probes> {
    const probes = new Probes(new Helper('prober.ts', options));
    try {
      await probes.#helper.ask('start');
      return probes;
    } catch (error) {
      await probes[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What happened since the last time that this was called, or since the start. */
  async window(): Promise<Window> {
    return (await this.#helper.ask('window')) as Window;
  }

  /** How many clients have no connection at the moment on which they have been answered. */
  async unserved(): Promise<number> {
    return (await this.#helper.ask('unserved')) as number;
  }

  /** Asks no more and waits for what is due, some seconds at most. Returns the last window. */
  async stop(): Promise<Window> {
    return (await this.#helper.ask('stop')) as Window;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#helper[Symbol.asyncDispose]();
  }
}
