/** Lets so many in at once, and the others as they came. */
export class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  /** Resolves when it is one's turn, which ends with what is given. */
  async take(): Promise<Disposable> {
    if (this.#free > 0) this.#free -= 1;
    // Whoever ends lets the next one in, and nobody else between.
    else await new Promise<void>((enter) => this.#waiting.push(enter));
    return { [Symbol.dispose]: () => this.#end() };
  }

  #end(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
