import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Window } from './probes.ts';

type Count = 'cut' | 'lost' | 'wrong' | 'refused';

/** Counts what happens to the measuring clients, from one `close` to the next. */
export class WindowCounts {
  #latenciesMs: number[] = [];
  #counts: Record<Count, number> = { cut: 0, lost: 0, wrong: 0, refused: 0 };
  readonly #own = monitorEventLoopDelay({ resolution: 1 });

  constructor() {
    this.#own.enable();
  }

  answered(ms: number): void {
    this.#latenciesMs.push(ms);
  }

  count(what: Count): void {
    this.#counts[what]++;
  }

  /** Ends the window and begins another. Takes how long those wait who are still waiting: 0 for the others. */
  close(waitingMs: readonly number[]): Window {
    const sorted = this.#latenciesMs.sort((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
    const longest = waitingMs.reduce((most, ms) => Math.max(most, ms), at(1));
    const window = {
      ...this.#counts,
      answers: sorted.length,
      medianMs: at(0.5),
      p99Ms: at(0.99),
      longestMs: longest,
      ownDelayMs: this.#own.max / 1e6,
    };
    this.#latenciesMs = [];
    this.#counts = { cut: 0, lost: 0, wrong: 0, refused: 0 };
    this.#own.reset();
    return window;
  }
}
