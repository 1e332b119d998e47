import v8 from 'node:v8';
import vm from 'node:vm';
import { placeTogether } from './placement.ts';

/** Looked at after every so many forks. */
const LOOK_EVERY = 500;
export const MOST_GROWTH_BYTES = 16 * 2 ** 20;

/**
 * Garbage of the zygote, which every child would have as well, copy the page tables of, and collect for itself. So it is
 * collected before the first fork, and again where it has piled up: V8 itself lets the heap of a process that spends little
 * time on collecting become four times what is alive (kMaxGrowingFactor, src/heap/heap-controller.h).
 */
export class Garbage {
  #forks = 0;
  #bytes = collect();

  /** To be called after each fork: nobody waits for a collection then. */
  collectIfMuch(): void {
    if (++this.#forks % LOOK_EVERY === 0 && heapBytes() > this.#bytes + MOST_GROWTH_BYTES)
      this.#bytes = collect();
  }
}

/** Returns what is left. */
function collect(): number {
  v8.setFlagsFromString('--expose-gc');
  const placed = placeTogether(); // collecting moves what is left
  // A plain gc() keeps what it could give back to the system, for 10 s or so: then each child would have been made with it.
  vm.runInNewContext('gc')({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  placed();
  v8.setFlagsFromString('--no-expose-gc');
  return heapBytes();
}

function heapBytes(): number {
  return v8.getHeapStatistics().total_physical_size;
}
