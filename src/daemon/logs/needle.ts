import { foldCase } from './fold.ts';

/** Where a text stands in bytes. */
export interface Hit {
  readonly start: number;
  readonly end: number;
}

/**
 * A literal text that is looked for in bytes. It is no pattern, and ignoring case is no pattern either: one with many
 * letters took 0.6 s for 128 KiB that were made for it.
 */
export class Needle {
  readonly #bytes: Buffer;
  readonly #ignoreCase: boolean;
  /** What is searched, folded: the same memory for each time. */
  #folded: Buffer = Buffer.alloc(0);

  constructor(text: string, ignoreCase: boolean) {
    this.#bytes = Buffer.from(text);
    this.#ignoreCase = ignoreCase;
    if (ignoreCase) foldCase(this.#bytes, this.#bytes);
  }

  get bytes(): number {
    return this.#bytes.length;
  }

  /** Finds it in these bytes, from a place on, until it is asked about others. */
  in(bytes: Buffer): (from: number) => Hit | null {
    const searched = this.#ignoreCase ? this.#fold(bytes) : bytes;
    return (from) => {
      const start = searched.indexOf(this.#bytes, from);
      return start < 0 ? null : { start, end: start + this.#bytes.length };
    };
  }

  #fold(bytes: Buffer): Buffer {
    if (this.#folded.length < bytes.length) this.#folded = Buffer.allocUnsafeSlow(bytes.length);
    foldCase(bytes, this.#folded);
    return this.#folded.subarray(0, bytes.length);
  }
}
