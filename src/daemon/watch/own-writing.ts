/** So many loads in a row during which one file has changed: nobody saves it so often while it is being loaded. */
const HABIT = 3;
/** So many that each saw some file change: it writes under another name each time. */
const LOADS = 10;

/** What follows from the changes that were seen while code was being loaded. */
export interface Verdict {
  /** Somebody has saved them meanwhile: load again. */
  readonly again: readonly string[];
  /** Held to be written by the loading itself, from now on. */
  readonly own: readonly string[];
}

/**
 * Tells what somebody saves while a bootstrap loads from what the bootstrap itself writes (a cache, a compiled template):
 * the kernel does not say who wrote. The first must lead to one more load, the second must not, or there is no end.
 */
export class OwnWriting {
  readonly #own = new Set<string>();
  /** How many loads in a row each file has changed during. */
  #counts: ReadonlyMap<string, number> = new Map();
  #loads = 0;

  /** @param during what has changed from the begin of a load to its end */
  judge(during: ReadonlySet<string>): Verdict {
    const others = [...during].filter((file) => !this.#own.has(file));
    const counts = new Map(others.map((file) => [file, (this.#counts.get(file) ?? 0) + 1]));
    const isEndless = this.#loads + 1 >= LOADS;
    const own = others.filter((file) => isEndless || counts.get(file) === HABIT);
    const again = others.filter((file) => !own.includes(file));
    for (const file of own) this.#own.add(file);
    this.#counts = again.length === 0 ? new Map() : counts;
    this.#loads = again.length === 0 ? 0 : this.#loads + 1;
    return { again, own };
  }

  /** What a load that went well has not written is none of its habits: the next change of it is somebody's. */
  forgetAllBut(during: ReadonlySet<string>): void {
    for (const file of this.#own) if (!during.has(file)) this.#own.delete(file);
  }
}
