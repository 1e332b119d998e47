import type { Piece } from './mask.ts';
import type { Needle } from './needle.ts';
import { restOfCharacter, unfinishedCharacter } from './utf8.ts';

/** A line that holds what was looked for. */
export interface LogMatch {
  /** Of the line's beginning, in bytes of the file. */
  readonly offset: number;
  /** Masked, and of a long line what is around the match. Bytes that are no text are U+FFFD. */
  readonly line: string;
}

export interface MatchLimits {
  readonly count: number;
  /** Of what is shown of all matches: no line begins beyond it. */
  readonly textBytes: number;
}

/** How much of a line a match shows. */
const SHOWN_BYTES = 1024;

const LF = 10;
const CR = 13;

/** From the byte `at` of the buffer on, bytes stand one by one for the file's from `offset` on; all of a secret's for its beginning. */
interface Mark {
  readonly at: number;
  readonly offset: number;
  readonly isSecret: boolean;
}

interface Place {
  readonly start: number;
  readonly end: number;
}

/**
 * Finds the lines that hold a needle in masked text that comes bit by bit: each line once, however long it is. Between
 * two bits it keeps no more than a match at the border needs: 1 KiB to show before it, and the needle's own length.
 */
export class LineScanner {
  readonly matches: LogMatch[] = [];
  readonly #needle: Needle;
  readonly #limits: MatchLimits;
  #textBytes = 0;
  /** The end of what was looked at, within one line, and what has come after it. */
  #buffer: Buffer = Buffer.alloc(0);
  /** What the buffer lies in, from the beginning on: the same for each bit. */
  #memory: Buffer = this.#buffer;
  readonly #marks: Mark[] = [];
  /** Where the file has the beginning of the line that the buffer begins in. */
  #lineOffset: number;
  /** Where the file has what comes behind the buffer. */
  #end: number;
  /** `passing`: the line has been told, and the rest of it means nothing. `full`: that was the last one wanted. */
  #state: 'looking' | 'passing' | 'full' = 'looking';

  /** Begins at an offset, as if a line began there. */
  constructor(needle: Needle, limits: MatchLimits, offset: number) {
    this.#needle = needle;
    this.#limits = limits;
    this.#lineOffset = offset;
    this.#end = offset;
  }

  get isFull(): boolean {
    return this.#state === 'full';
  }

  /** Where another scanner goes on: the beginning of a line, unless that line is longer than what is kept of it. */
  get next(): number {
    return this.#offsetAt(0);
  }

  /** The next pieces, and where the file goes on behind them. */
  push(pieces: readonly Piece[], end: number): void {
    let at = this.#buffer.length;
    this.#makeRoomFor(pieces.reduce((sum, { bytes }) => sum + bytes.length, at));
    for (const { start, bytes, isSecret } of pieces) {
      this.#marks.push({ at, offset: start, isSecret });
      at += bytes.copy(this.#memory, at);
    }
    this.#buffer = this.#memory.subarray(0, at);
    this.#end = end;
    this.#keepFrom(this.#scan('goes on'));
  }

  /** Nothing comes behind what was pushed: the last line counts as it is. */
  finish(): void {
    this.#keepFrom(this.#scan('ends'));
  }

  /** The line ends here; what comes next is another one, elsewhere in the file. */
  goOnAt(offset: number): void {
    this.finish();
    if (this.#hasEnough) this.#state = 'full';
    if (this.#state === 'full') return;
    this.#keepFrom(this.#buffer.length);
    this.#state = 'looking';
    this.#lineOffset = offset;
    this.#end = offset;
  }

  /** Looks at the buffer, and says what of it is to be kept: what begins there. */
  #scan(text: 'goes on' | 'ends'): number {
    const buffer = this.#buffer;
    const find = this.#needle.in(buffer);
    for (let at = 0; ; ) {
      if (this.#state === 'passing') {
        const lf = buffer.indexOf(LF, at);
        if (lf < 0) return buffer.length;
        at = this.#lineFrom(lf + 1);
        this.#state = this.#hasEnough ? 'full' : 'looking';
      }
      if (this.#state === 'full') return at;
      const hit = find(at);
      const reached = hit?.start ?? buffer.length;
      const lf = reached > at ? buffer.lastIndexOf(LF, reached - 1) : -1;
      if (lf >= at) at = this.#lineFrom(lf + 1);
      if (hit === null) return this.#withContext(at, reached);
      const lineEnd = buffer.indexOf(LF, hit.end);
      const end = lineEnd < 0 ? buffer.length : lineEnd;
      // The rest of what is to be shown is still to come.
      if (lineEnd < 0 && text === 'goes on' && end - hit.end < SHOWN_BYTES)
        return this.#withContext(at, reached);
      this.#tell({ start: at, end }, hit);
      this.#state = 'passing';
      at = end;
    }
  }

  get #hasEnough(): boolean {
    return this.matches.length >= this.#limits.count || this.#textBytes >= this.#limits.textBytes;
  }

  /** A line begins there. */
  #lineFrom(at: number): number {
    this.#lineOffset = this.#offsetAt(at);
    return at;
  }

  #tell(line: Place, hit: Place): void {
    const { start, end } = this.#shown(line, hit);
    this.#textBytes += end - start;
    this.matches.push({ offset: this.#lineOffset, line: this.#buffer.toString('utf8', start, end) });
  }

  /** As much of a line as is shown, with the match in the middle of it, and whole characters. */
  #shown(line: Place, hit: Place): Place {
    const buffer = this.#buffer;
    const end = line.end > hit.end && buffer[line.end - 1] === CR ? line.end - 1 : line.end;
    if (end - line.start <= SHOWN_BYTES) return { start: line.start, end };
    const before = Math.floor((SHOWN_BYTES - (hit.end - hit.start)) / 2);
    const start = Math.min(Math.max(hit.start - before, line.start), end - SHOWN_BYTES);
    const cut = start + SHOWN_BYTES;
    return { start: start + restOfCharacter(buffer, start), end: cut - unfinishedCharacter(buffer, cut) };
  }

  /** What of the line that begins at `at` is kept when all before `reached` was looked at. */
  #withContext(at: number, reached: number): number {
    const start = reached - SHOWN_BYTES - this.#needle.bytes;
    return start > at ? start + restOfCharacter(this.#buffer, start) : at;
  }

  #makeRoomFor(bytes: number): void {
    if (this.#memory.length >= bytes) return;
    const larger = Buffer.allocUnsafeSlow(bytes);
    this.#buffer.copy(larger);
    this.#memory = larger;
  }

  /** Drops what stands before. */
  #keepFrom(at: number): void {
    if (at === 0) return;
    const first = this.#markAt(at);
    this.#memory.copyWithin(0, at, this.#buffer.length);
    this.#buffer = this.#memory.subarray(0, this.#buffer.length - at);
    this.#marks.splice(0, this.#buffer.length === 0 ? this.#marks.length : first);
    for (const [index, mark] of this.#marks.entries()) this.#marks[index] = { ...mark, at: mark.at - at };
  }

  #offsetAt(at: number): number {
    const mark = at < this.#buffer.length ? this.#marks[this.#markAt(at)] : undefined;
    if (mark === undefined) return this.#end;
    return mark.isSecret ? mark.offset : mark.offset + at - mark.at;
  }

  /** Which mark speaks of a byte: the last one that is not behind it. */
  #markAt(at: number): number {
    let [low, high] = [0, this.#marks.length];
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.#marks[middle]?.at ?? at) <= at) low = middle;
      else high = middle;
    }
    return low;
  }
}
