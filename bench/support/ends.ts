import { setTimeout as wait } from 'node:timers/promises';
import type { CloudClient } from '../../src/client/index.ts';

/** What the stream may not have told, since it began later. */
const LOOK_MS = 1_000;

/** Hears of the ends of runs by the stream of events: whoever asked again and again would be part of what is measured. */
export class Ends implements Disposable {
  readonly #client: CloudClient;
  readonly #stop = new AbortController();
  #news = Promise.withResolvers<void>();
  readonly #ended = new Set<unknown>();

  constructor(client: CloudClient) {
    this.#client = client;
    void this.#listen();
  }

  async #listen(): Promise<void> {
    const { signal } = this.#stop;
    try {
      for await (const { kind, data } of this.#client.events({ kinds: ['run'] }, { signal })) {
        if (kind !== 'run' || data.state !== 'ended') continue;
        this.#ended.add(data.key);
        this.#news.resolve();
        this.#news = Promise.withResolvers<void>();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Resolves when that run has ended. */
  async of(key: string): Promise<void> {
    while (!this.#ended.has(key)) {
      if (await this.#hasNews()) continue;
      const { run } = await this.#client.call('getRun', { params: { key } });
      if (run.state === 'ended') break;
    }
    this.#ended.clear();
  }

  /** Resolves when none goes on. */
  async all(): Promise<void> {
    let left = (await this.#client.call('status', {})).active;
    while (left > 0) {
      this.#ended.clear();
      while (this.#ended.size < left && (await this.#hasNews()));
      left = (await this.#client.call('status', {})).active;
    }
    this.#ended.clear();
  }

  /** False: there has been none for a while. */
  async #hasNews(): Promise<boolean> {
    const { promise } = this.#news;
    const stop = new AbortController();
    const isNews = promise.then(() => true);
    const isQuiet = wait(LOOK_MS, false, { signal: stop.signal, ref: false }).catch(() => false);
    const result = await Promise.race([isNews, isQuiet]);
    stop.abort();
    return result;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }
}
