import type { Clock } from './clock.ts';
import { Heap } from './heap.ts';

interface Entry {
  readonly atMs: number;
  /** Null: it was taken off. */
  act: (() => void) | null;
}

/** What is to be done when: any number of times, with one timer. */
export class Agenda implements Disposable {
  readonly #clock: Clock;
  readonly #entries = new Heap<Entry>((a, b) => a.atMs < b.atMs);
  #timer: { readonly atMs: number; readonly handle: Disposable } | null = null;
  #live = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Disposed of, it is not done. */
  at(atMs: number, act: () => void): Disposable {
    const entry: Entry = { atMs, act };
    this.#entries.push(entry);
    this.#live++;
    this.#arm();
    return {
      [Symbol.dispose]: () => {
        if (entry.act === null) return;
        entry.act = null;
        this.#live--;
        this.#tidy();
      },
    };
  }

  #run(): void {
    this.#timer = null;
    const nowMs = this.#clock.nowMs();
    for (let entry = this.#entries.peek(); entry !== undefined; entry = this.#entries.peek()) {
      if (entry.act !== null && entry.atMs > nowMs) break;
      this.#entries.pop();
      const { act } = entry;
      if (act === null) continue;
      entry.act = null;
      this.#live--;
      act();
    }
    this.#arm();
  }

  #arm(): void {
    const next = this.#entries.peek();
    if (next === undefined || (this.#timer !== null && this.#timer.atMs <= next.atMs)) return;
    this.#timer?.handle[Symbol.dispose]();
    this.#timer = { atMs: next.atMs, handle: this.#clock.at(next.atMs, () => this.#run()) };
  }

  /** Most times are taken off before they come: those must not pile up. */
  #tidy(): void {
    if (this.#entries.size < 1000 || this.#entries.size < 2 * this.#live) return;
    const kept: Entry[] = [];
    for (let entry = this.#entries.pop(); entry !== undefined; entry = this.#entries.pop())
      if (entry.act !== null) kept.push(entry);
    for (const entry of kept) this.#entries.push(entry);
  }

  [Symbol.dispose](): void {
    this.#timer?.handle[Symbol.dispose]();
    this.#timer = null;
    while (this.#entries.pop() !== undefined);
  }
}
