import { isAscii, isUtf8 } from 'node:buffer';

interface Span {
  start: number;
  end: number;
}

interface Pattern {
  readonly inLine: RegExp;
  /** Finds something in a text of many lines whenever `inLine` does in one of them. Null: can't be told. */
  readonly anywhere: RegExp | null;
}

const LF = 10;
const CR = 13;
const STARS = Buffer.from('***');

/** How far around a place a pattern may reach. Lines that are longer are masked as far as it sees them. */
const LINE_REACH = 4096;

/**
 * Shows `***` in the place of secrets: literal values, and whatever matches a pattern. Patterns apply to each line by
 * itself, as text when it is UTF-8, else as Latin-1; literals may span lines. Matches that overlap become one.
 *
 * It keeps no state: a byte is hidden or shown by the bytes within `reach` around it. So it makes no difference where
 * a log is cut, and nobody gets a secret out by asking for it in small pieces. (Exact for literals, and for patterns
 * in lines of at most `reach` bytes.)
 */
export class Mask {
  /** How many bytes before and after a chunk have to be known. 0: nothing is masked. */
  readonly reach: number;
  readonly #literals: readonly Buffer[];
  readonly #patterns: readonly Pattern[];

  constructor(patterns: readonly RegExp[], literals: readonly string[] = []) {
    this.#literals = literals.filter((literal) => literal !== '').map((literal) => Buffer.from(literal));
    this.#patterns = patterns.map(compile);
    const longest = Math.max(0, ...this.#literals.map((literal) => literal.length));
    this.reach = this.#patterns.length === 0 ? longest : Math.max(longest, LINE_REACH);
  }

  /** A text by itself: an error message, what a bootstrap printed. */
  text(text: string): string {
    if (this.reach === 0) return text;
    const bytes = Buffer.from(text);
    return this.apply(bytes, 0, bytes.length).toString();
  }

  /**
   * The bytes from `from` to `to`, masked by what stands around them. A secret that began before `from` has been
   * shown as `***` there: the rest of it is left out. Without a secret it is a view of the same memory.
   */
  apply(region: Buffer, from: number, to: number): Buffer {
    const parts: Buffer[] = [];
    let at = from;
    for (const span of this.#spans(region, from, to)) {
      if (span.end <= from || span.start >= to) continue;
      if (span.start >= from) parts.push(region.subarray(at, span.start), STARS);
      at = Math.min(span.end, to);
    }
    return at === from ? region.subarray(from, to) : Buffer.concat([...parts, region.subarray(at, to)]);
  }

  /** How many of the last bytes may be the beginning of a secret that is not whole yet. */
  unfinished(region: Buffer): number {
    let held = 0;
    if (this.#patterns.length > 0) held = Math.min(region.length - 1 - region.lastIndexOf(LF), this.reach);
    for (const literal of this.#literals) held = Math.max(held, unfinishedLiteral(region, literal));
    return held;
  }

  /** Where the secrets stand that touch this range: in order, none overlapping. */
  #spans(region: Buffer, from: number, to: number): Span[] {
    const found: Span[] = [];
    if (this.reach === 0 || from >= to) return found;
    for (const literal of this.#literals) findLiteral(region, literal, found);
    if (this.#patterns.length > 0) {
      const start = from === 0 ? 0 : region.lastIndexOf(LF, from - 1) + 1;
      const end = region.indexOf(LF, to - 1);
      this.#findPatterns(region.subarray(start, end < 0 ? region.length : end), start, found);
    }
    return merged(found);
  }

  #findPatterns(lines: Buffer, offset: number, found: Span[]): void {
    const ascii = isAscii(lines);
    const whole = ascii || isUtf8(lines) ? lines.toString(ascii ? 'latin1' : 'utf8') : null;
    const patterns = this.#patterns.filter(
      ({ anywhere }) => whole === null || (anywhere?.test(whole) ?? true),
    );
    if (patterns.length === 0) return;
    for (let start = 0; start < lines.length; ) {
      const lf = lines.indexOf(LF, start);
      let end = lf < 0 ? lines.length : lf;
      if (end > start && lines[end - 1] === CR) end -= 1;
      const line = lines.subarray(start, end);
      const wide = !ascii && !isAscii(line) && isUtf8(line);
      const text =
        ascii && whole !== null ? whole.slice(start, end) : line.toString(wide ? 'utf8' : 'latin1');
      const place = { wide, offset: offset + start };
      for (const { inLine } of patterns) findPattern(text, inLine, place, found);
      start = lf < 0 ? lines.length : lf + 1;
    }
  }
}

export const NO_MASK = new Mask([]);

function compile(pattern: RegExp): Pattern {
  const flags = pattern.flags.replace(/[gy]/g, '');
  // What looks around sees the next line too and decides otherwise; so may what turns a flag off again.
  const looks = /\(\?(?:<?[=!]|[ims]*-)/.test(pattern.source);
  return {
    inLine: new RegExp(pattern.source, `${flags}g`),
    anywhere: looks ? null : new RegExp(pattern.source, `${flags.replace('m', '')}m`),
  };
}

function findLiteral(region: Buffer, literal: Buffer, found: Span[]): void {
  // One byte on after each match, not behind it: what is found must not depend on where the search began.
  for (let at = region.indexOf(literal); at >= 0; at = region.indexOf(literal, at + 1)) {
    found.push({ start: at, end: at + literal.length });
  }
}

function findPattern(
  text: string,
  pattern: RegExp,
  line: { wide: boolean; offset: number },
  found: Span[],
): void {
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    if (match[0] === '') {
      pattern.lastIndex += 1;
      continue;
    }
    const before = line.wide ? Buffer.byteLength(text.slice(0, match.index)) : match.index;
    const length = line.wide ? Buffer.byteLength(match[0]) : match[0].length;
    found.push({ start: line.offset + before, end: line.offset + before + length });
  }
}

/** The longest end of the region that is a beginning of the literal, but not all of it. */
function unfinishedLiteral(region: Buffer, literal: Buffer): number {
  for (let length = Math.min(literal.length - 1, region.length); length > 0; length -= 1) {
    if (region.compare(literal, 0, length, region.length - length) === 0) return length;
  }
  return 0;
}

function merged(found: Span[]): Span[] {
  const spans: Span[] = [];
  for (const span of found.sort((a, b) => a.start - b.start)) {
    const last = spans.at(-1);
    if (last === undefined || span.start >= last.end) spans.push(span);
    else last.end = Math.max(last.end, span.end);
  }
  return spans;
}
