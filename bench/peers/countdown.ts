/** Tells when so many things have happened. */
export class Countdown {
  #missing = 0;
  #end: PromiseWithResolvers<void> | null = null;

  /** Resolves after so many more. To be called before the first of them. */
  async of(count: number): Promise<void> {
    this.#missing = count;
    this.#end = Promise.withResolvers<void>();
    await this.#end.promise;
  }

  one(): void {
    if (--this.#missing === 0) this.#end?.resolve();
  }
}
