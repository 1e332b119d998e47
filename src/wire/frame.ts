/** What a chunk of input brought: whole lines without their line end, and whether a line grew beyond the limit. */
export interface Framed {
  readonly lines: readonly Buffer[];
  readonly tooLong: boolean;
}

const LF = 10;
const CR = 13;

const NOTHING = Buffer.alloc(0);

/**
 * Cuts a byte stream into lines. Holds at most one unfinished line of `maxBytes` (a `\r` at its end counts); beyond that
 * the stream is at fault and nothing more is taken from it. The unfinished rest is plain data, so that another process
 * can go on with it.
 */
export class LineFramer {
  readonly #maxBytes: number;
  /** The unfinished line, in a buffer that grows with it: a line that comes byte by byte costs no more than its bytes. */
  #held: Buffer = NOTHING;
  #length = 0;
  #overflowed = false;

  constructor(maxBytes: number, rest?: Buffer) {
    this.#maxBytes = maxBytes;
    if (rest !== undefined) this.#hold(rest);
  }

  /** The bytes of the line that has not ended yet. */
  get rest(): Buffer {
    return this.#held.subarray(0, this.#length);
  }

  push(chunk: Buffer): Framed {
    const lines: Buffer[] = [];
    let at = 0;
    while (!this.#overflowed) {
      const end = chunk.indexOf(LF, at);
      const piece = chunk.subarray(at, end < 0 ? chunk.length : end);
      if (this.#length + piece.length > this.#maxBytes) {
        this.#overflowed = true;
        this.#forget();
        break;
      }
      if (end < 0) {
        this.#hold(piece);
        break;
      }
      lines.push(this.#take(piece));
      at = end + 1;
    }
    return { lines, tooLong: this.#overflowed };
  }

  /** Copies, because a chunk belongs to a larger buffer that would stay alive with it. */
  #hold(piece: Buffer): void {
    const needed = this.#length + piece.length;
    if (needed > this.#held.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(2 * this.#held.length, this.#maxBytes)));
      this.#held.copy(grown, 0, 0, this.#length);
      this.#held = grown;
    }
    piece.copy(this.#held, this.#length);
    this.#length = needed;
  }

  #take(last: Buffer): Buffer {
    let line = last;
    if (this.#length > 0) {
      this.#hold(last);
      line = this.rest;
      this.#forget();
    }
    return line.length > 0 && line[line.length - 1] === CR ? line.subarray(0, -1) : line;
  }

  #forget(): void {
    this.#held = NOTHING;
    this.#length = 0;
  }
}
