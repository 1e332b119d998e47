/** What carries a connection's bytes away. One write is in flight at a time: what is unsent is known to the byte. */
export interface Sink {
  /** Calls `done` when the bytes have left, or never when the connection is gone. */
  write(bytes: Buffer, done: () => void): void;
}

/** What was said to a client and has not left. */
export class Output {
  readonly #sink: Sink;
  readonly #onLeft: () => void;
  #waiting: Buffer[] = [];
  #bytes = 0;
  /** The one write that is under way. */
  #flight: Buffer | null = null;

  /** @param onLeft called after each write that has left */
  constructor(sink: Sink, onLeft: () => void) {
    this.#sink = sink;
    this.#onLeft = onLeft;
  }

  /** How much has not left, as far as is known. */
  get bytes(): number {
    return this.#bytes;
  }

  send(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    if (this.#flight === null) this.#flush();
  }

  #flush(): void {
    const [first] = this.#waiting;
    if (first === undefined) return;
    const bytes = this.#waiting.length === 1 ? first : Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#flight = bytes;
    this.#sink.write(bytes, () => {
      this.#flight = null;
      this.#bytes -= bytes.length;
      this.#flush();
      this.#onLeft();
    });
  }

  /** All but what is being written. */
  dropWaiting(): void {
    for (const unsent of this.#waiting) this.#bytes -= unsent.length;
    this.#waiting = [];
  }

  /** @param ofFlight of the write that is under way, how many bytes at its end have not left */
  unsent(ofFlight: number): Buffer[] {
    const flight = this.#flight;
    return [...(flight === null ? [] : [flight.subarray(flight.length - ofFlight)]), ...this.#waiting];
  }
}
