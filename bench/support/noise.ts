import { median, quantile } from './statistics.ts';

const ROUNDS = 40;
const STEPS = 3_000_000;

/** How evenly the machine works: the same loop, timed again and again over the whole measurement. */
export class Noise {
  readonly #times: number[] = [];

  sample(): void {
    for (let round = 0; round < ROUNDS; round++) {
      const begin = performance.now();
      let value = round;
      for (let step = 0; step < STEPS; step++) value = (value * 1_103_515_245 + 12_345) | 0;
      // The value is used, or V8 would leave the loop out.
      if (value === 42.5) throw new Error('not an integer');
      this.#times.push(performance.now() - begin);
    }
  }

  toString(): string {
    const [middle, p99, most] = [median(this.#times), quantile(this.#times, 0.99), Math.max(...this.#times)];
    return (
      `a fixed loop of ${middle.toFixed(2)} ms took up to ${(p99 / middle).toFixed(2)} × that in 99 of 100 cases, ` +
      `${(most / middle).toFixed(2)} × at worst`
    );
  }
}
