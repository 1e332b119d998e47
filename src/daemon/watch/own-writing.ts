/** So many loads in a row that each saw files change: nobody saves so often while it loads. */
const LOADS = 3;

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
  #loads = 0;

  /** @param during what has changed from the begin of a load to its end */
  judge(during: ReadonlySet<string>): Verdict {
    const others = [...during].filter((file) => !this.#own.has(file));
    this.#loads = others.length === 0 ? 0 : this.#loads + 1;
    if (this.#loads < LOADS) return { again: others, own: [] };
    this.#loads = 0;
    for (const file of others) this.#own.add(file);
    return { again: [], own: others };
  }

  /** What a load that went well has not written is none of its habits: the next change of it is somebody's. */
  forgetAllBut(during: ReadonlySet<string>): void {
    for (const file of this.#own) if (!during.has(file)) this.#own.delete(file);
  }
}
