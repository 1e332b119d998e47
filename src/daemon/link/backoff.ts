export interface BackoffTiming {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** Pauses between attempts: each twice the one before, up to a bound, and each cut by up to a half, by chance. */
export class Backoff {
  readonly #timing: BackoffTiming;
  readonly #random: () => number;
  #nextMs: number;

  constructor(timing: BackoffTiming, random: () => number = Math.random) {
    this.#timing = timing;
    this.#random = random;
    this.#nextMs = timing.firstMs;
  }

  /** A fleet that lost its cloud at one moment must not come back at one moment: hence the chance. */
  next(): number {
    const ms = this.#nextMs;
    this.#nextMs = Math.min(ms * 2, this.#timing.maxMs);
    return ms * (1 - this.#random() / 2);
  }

  reset(): void {
    this.#nextMs = this.#timing.firstMs;
  }
}
