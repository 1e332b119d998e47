// A client that behaves, beside one that does not: it notices whether the daemon still serves others, and what it costs.
import assert from 'node:assert/strict';
import { setInterval } from 'node:timers/promises';
import { Wire } from './wire.ts';

const EVERY_MS = 20;

export class Health implements AsyncDisposable {
  readonly #wire: Wire;
  readonly #firstRss: number;
  readonly #worker: unknown;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #waiting: { from: number; wake: () => void }[] = [];
  #failure: Error | null = null;
  count = 0;
  slowestMs = 0;
  peakRss = 0;

  private constructor(wire: Wire, stats: Record<string, unknown>) {
    this.#wire = wire;
    this.#firstRss = Number(stats.rss_bytes);
    this.#worker = stats.worker_pid;
    this.#done = this.#watch().catch((error: Error) => {
      this.#failure = error;
      this.#wake();
    });
  }

  static async watch(socket: string): Promise<Health> {
    const wire = await Wire.open(socket);
    return new Health(wire, await wire.ask('stats'));
  }

  async #watch(): Promise<void> {
    try {
      for await (const _ of setInterval(EVERY_MS, undefined, { signal: this.#stop.signal }))
        await this.#ask();
    } catch (error) {
      if ((error as Error).name !== 'AbortError') throw error;
    }
  }

  async #ask(): Promise<void> {
    const asked = performance.now();
    const stats = await this.#wire.ask('stats');
    assert.equal(stats.worker_pid, this.#worker, 'the worker is the same');
    this.slowestMs = Math.max(this.slowestMs, performance.now() - asked);
    this.peakRss = Math.max(this.peakRss, Number(stats.rss_bytes));
    this.count++;
    this.#wake();
  }

  #wake(): void {
    const due = this.#waiting.filter(({ from }) => this.#failure !== null || this.count >= from);
    this.#waiting = this.#waiting.filter((one) => !due.includes(one));
    for (const { wake } of due) wake();
  }

  /** Resolves after so many more answers. */
  async answers(count: number): Promise<void> {
    await new Promise<void>((wake) => {
      this.#waiting.push({ from: this.count + count, wake });
      if (this.#failure !== null) this.#wake();
    });
    if (this.#failure !== null) throw this.#failure;
  }

  /** Fails if others were not served within some seconds, or if the worker took more memory than may be. */
  async assertUndisturbed(mostGrownBytes: number): Promise<void> {
    await this.answers(3);
    assert.ok(this.slowestMs < 5_000, `an answer took ${this.slowestMs.toFixed()} ms`);
    const grown = this.peakRss - this.#firstRss;
    assert.ok(grown < mostGrownBytes, `the worker has grown by ${(grown / 2 ** 20).toFixed(1)} MiB`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
    this.#wire[Symbol.dispose]();
  }
}
