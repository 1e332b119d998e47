import type { Clock } from '../clock.ts';
import type { HeartbeatConfig } from './config.ts';
import { type Result, sendHeartbeat } from './deliver/index.ts';

const TIMEOUT_MS = 10_000;

export interface HeartbeatOptions extends HeartbeatConfig {
  readonly clock: Clock;
  /** Whether the control plane does its work (the store answers, the scheduler is not behind). No beat else. */
  readonly isWell: () => Promise<boolean>;
  /** Null: there was no beat, since it is not well. */
  readonly onBeat?: (result: Result | null) => void;
  readonly timeoutMs?: number;
}

/**
 * Tells a watcher outside, at a fixed distance, that the control plane is alive: it can't report its own death. A beat
 * that fails is not tried again, the next one is near.
 */
export class Heartbeat implements AsyncDisposable {
  readonly #options: HeartbeatOptions;
  readonly #stop = new AbortController();
  #beat: Promise<void>;
  #timer: Disposable | null = null;

  /** Begins with a beat at once. */
  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#beat = this.#once();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#timer?.[Symbol.dispose]();
    await this.#beat;
  }

  async #once(): Promise<void> {
    const { clock, everyMs, onBeat } = this.#options;
    const nextMs = clock.nowMs() + everyMs;
    const result = await this.#send(clock.nowMs());
    if (this.#stop.signal.aborted) return;
    this.#timer = clock.at(nextMs, () => {
      this.#beat = this.#once();
    });
    onBeat?.(result);
  }

  async #send(nowMs: number): Promise<Result | null> {
    const { url, isWell, timeoutMs = TIMEOUT_MS } = this.#options;
    // Who can't even say it is not well.
    if (!(await isWell().catch(() => false)) || this.#stop.signal.aborted) return null;
    return sendHeartbeat(url, { timeoutMs, signal: this.#stop.signal }, nowMs);
  }
}
