import { LineFramer } from '../../wire/index.ts';

const LINE_END = Buffer.from('\n');
const NO_LINES: readonly Buffer[] = [];
/** Input is cut into lines in such pieces, so that a chunk of line ends does not become as many objects at once. */
const PIECE_BYTES = 4_096;

/** What a client has sent and nobody has taken: chunks in, lines out, one by one. */
export class Input {
  readonly #framer: LineFramer;
  readonly #chunks: Buffer[] = [];
  #chunkBytes = 0;
  #lines: readonly Buffer[] = NO_LINES;
  #nextLine = 0;
  #tooLong = false;

  constructor(lineBytes: number) {
    this.#framer = new LineFramer(lineBytes);
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
  }

  /** Where a former process was, with what it has not taken. */
  restore(bytes: Buffer, tooLong: boolean): void {
    if (bytes.length > 0) this.push(bytes);
    this.#tooLong = tooLong;
  }

  /** Bytes that wait to be cut into lines. */
  get uncutBytes(): number {
    return this.#chunkBytes;
  }

  /** There may be a line to take. */
  get hasMore(): boolean {
    return this.#nextLine < this.#lines.length || this.#chunks.length > 0;
  }

  get isEmpty(): boolean {
    return !this.hasMore && !this.#tooLong && this.#framer.rest.length === 0;
  }

  /** Behind all that can be taken came a line that was too long; what follows it is lost. */
  get isTooLong(): boolean {
    return this.#tooLong;
  }

  /** The next line; null when there is none that is whole. */
  next(): Buffer | null | 'too long' {
    for (;;) {
      const line = this.#lines[this.#nextLine];
      if (line !== undefined) {
        this.#nextLine++;
        // Nothing of the chunk is kept while the client is idle: a line is a view of the whole of it.
        if (this.#nextLine === this.#lines.length) this.#dropLines();
        return line;
      }
      if (this.#tooLong) return 'too long';
      const piece = this.#piece();
      if (piece === null) return null;
      const { lines, tooLong } = this.#framer.push(piece);
      this.#lines = lines;
      this.#nextLine = 0;
      this.#tooLong = tooLong;
    }
  }

  #piece(): Buffer | null {
    const [chunk] = this.#chunks;
    if (chunk === undefined) return null;
    const piece = chunk.subarray(0, PIECE_BYTES);
    if (piece.length < chunk.length) this.#chunks[0] = chunk.subarray(PIECE_BYTES);
    else this.#chunks.shift();
    this.#chunkBytes -= piece.length;
    return piece;
  }

  #dropLines(): void {
    this.#lines = NO_LINES;
    this.#nextLine = 0;
  }

  drop(): void {
    this.#chunks.length = 0;
    this.#chunkBytes = 0;
    this.#dropLines();
  }

  /** All of it as it was sent, but for what a line that was too long took with it. */
  get untaken(): Buffer[] {
    const lines = this.#lines.slice(this.#nextLine).flatMap((line) => [line, LINE_END]);
    return [...lines, this.#framer.rest, ...this.#chunks];
  }
}
