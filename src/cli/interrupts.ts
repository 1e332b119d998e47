const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** What the user's Ctrl-C does while a command waits: something gentle first, then it stops waiting. */
export class Interrupts implements Disposable {
  readonly #abort = new AbortController();
  readonly #onSignal: () => void;
  #count = 0;

  constructor(act: { readonly first: () => void; readonly second: () => void }) {
    this.#onSignal = () => {
      this.#count++;
      if (this.#count === 1) act.first();
      if (this.#count !== 2) return;
      act.second();
      this.#abort.abort();
    };
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
  }

  /** Aborted by the second interrupt. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  [Symbol.dispose](): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
  }
}
