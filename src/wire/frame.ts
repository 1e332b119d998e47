/** What a chunk of input brought: whole lines without their line end, and whether a line grew beyond the limit. */
export interface Framed {
  readonly lines: readonly Buffer[];
  readonly tooLong: boolean;
}

const LF = 10;
const CR = 13;

/**
 * Cuts a byte stream into lines. Holds at most one unfinished line of `maxBytes`; beyond that the stream is at fault
 * and nothing more is taken from it. The unfinished rest is plain data, so that another process can go on with it.
 */
export class LineFramer {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #held = 0;
  #overflowed = false;

  constructor(maxBytes: number, rest?: Buffer) {
    this.#maxBytes = maxBytes;
    if (rest !== undefined && rest.length > 0) {
      this.#parts.push(rest);
      this.#held = rest.length;
    }
  }

  /** The bytes of the line that has not ended yet. */
  get rest(): Buffer {
    if (this.#parts.length > 1) this.#parts = [Buffer.concat(this.#parts)];
    return this.#parts[0] ?? Buffer.alloc(0);
  }

  push(chunk: Buffer): Framed {
    const lines: Buffer[] = [];
    let at = 0;
    while (!this.#overflowed) {
      const end = chunk.indexOf(LF, at);
      const piece = chunk.subarray(at, end < 0 ? chunk.length : end);
      if (this.#held + piece.length > this.#maxBytes) {
        this.#overflowed = true;
        this.#parts = [];
        this.#held = 0;
        break;
      }
      if (end < 0) {
        // A copy, because the chunk belongs to a larger buffer that would stay alive with it.
        if (piece.length > 0) this.#parts.push(Buffer.from(piece));
        this.#held += piece.length;
        break;
      }
      lines.push(this.#take(piece));
      at = end + 1;
    }
    return { lines, tooLong: this.#overflowed };
  }

  #take(last: Buffer): Buffer {
    const line = this.#parts.length === 0 ? last : Buffer.concat([...this.#parts, last]);
    this.#parts = [];
    this.#held = 0;
    return line.length > 0 && line[line.length - 1] === CR ? line.subarray(0, -1) : line;
  }
}
