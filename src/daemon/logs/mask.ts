import { isAscii, isUtf8 } from 'node:buffer';
import { type JsonValue, numberText } from '../../wire/index.ts';

interface Span {
  start: number;
  end: number;
}

/** Bytes to show: as they stand in a region at `start`, or the stars for the secret that begins there. */
export interface Piece {
  readonly start: number;
  readonly bytes: Buffer;
  readonly isSecret: boolean;
}

interface Pattern {
  readonly inLine: RegExp;
  /** Finds something in a text of many lines whenever `inLine` does in one of them. Null: can't be told. */
  readonly anywhere: RegExp | null;
}

const LF = 10;
const CR = 13;
const HEAD_BYTES = 8;
const STARS = Buffer.from('***');

/** A form, a line or the beginning of a secret that is shorter stands in too many other words to be hidden. */
const SHORTEST_FORM = 6;

/** How far around a place a pattern may reach. Lines that are longer are masked as far as it sees them. */
const LINE_REACH = 4096;

/**
 * Shows `***` in the place of secrets: literal values, and whatever matches a pattern. Patterns apply to each line by
 * itself, as text when it is UTF-8, else as Latin-1; literals may span lines. Matches that overlap become one.
 *
 * It keeps no state of what it has shown: a byte is hidden or shown by the bytes within `reach` around it. So it makes no
 * difference where a log is cut, and nobody gets a secret out by asking for it in small pieces. (Exact for literals, and
 * for patterns in lines of at most `reach` bytes.)
 */
export class Mask {
  readonly #given: readonly string[];
  /** By who hides them. */
  readonly #hidden = new Map<string, readonly string[]>();
  readonly #patterns: readonly Pattern[];
  #literals: readonly Buffer[] = [];
  #reach = 0;

  constructor(patterns: readonly RegExp[], literals: readonly string[] = []) {
    this.#given = literals;
    this.#patterns = patterns.map(compile);
    this.#gather();
  }

  /** How many bytes before and after a chunk have to be known. 0: nothing is masked. */
  get reach(): number {
    return this.#reach;
  }

  /**
   * Hides these secrets too, in every form that they are commonly printed in, instead of those that the same owner has
   * hidden before. Whoever follows a log meanwhile sees no more of them from now on.
   */
  hide(owner: string, secrets: readonly string[]): void {
    if (secrets.length === 0 && !this.#hidden.has(owner)) return;
    if (secrets.length === 0) this.#hidden.delete(owner);
    else this.#hidden.set(owner, secrets);
    this.#gather();
  }

  #gather(): void {
    const hidden = new Set([...this.#hidden.values()].flat());
    const all = new Set([...this.#given, ...[...hidden].flatMap(formsOf)]);
    all.delete('');
    this.#literals = [...all].map((literal) => Buffer.from(literal));
    const longest = Math.max(0, ...this.#literals.map((literal) => literal.length));
    this.#reach = this.#patterns.length === 0 ? longest : Math.max(longest, LINE_REACH);
  }

  /** A text by itself: an error message, what a bootstrap printed. Where it was cut off within a secret, so is that. */
  text(text: string): string {
    if (this.#reach === 0 || text === '') return text;
    const bytes = Buffer.from(text);
    const begun = Math.max(0, ...this.#literals.map((literal) => unfinishedLiteral(bytes, literal)));
    if (begun < SHORTEST_FORM) return this.apply(bytes, 0, bytes.length).toString();
    // It may begin within a secret that is whole: then only what stands behind that one is left to hide.
    const to = bytes.length - begun;
    const shown = this.apply(bytes, 0, to).toString();
    return shown.endsWith('***') ? shown : `${shown}***`;
  }

  /** Every text in a JSON value, names of members and numbers among them. */
  json(value: JsonValue): JsonValue {
    return this.#reach === 0 ? value : this.#json(value);
  }

  #json(value: JsonValue): JsonValue {
    if (typeof value === 'string') return this.text(value);
    if (value === null || typeof value === 'boolean') return value;
    if (typeof value === 'number' || JSON.isRawJSON(value)) {
      const text = numberText(value);
      const shown = this.text(text);
      return shown === text ? value : shown;
    }
    if (Array.isArray(value)) return (value as readonly JsonValue[]).map((each) => this.#json(each));
    // A member may be called __proto__.
    const members: Record<string, JsonValue> = Object.create(null);
    for (const [name, each] of Object.entries(value)) {
      let shown = this.text(name);
      while (shown !== name && shown in members) shown += '*';
      members[shown] = this.#json(each);
    }
    return members;
  }

  /**
   * The bytes from `from` to `to`, masked by what stands around them. A secret that began before `from` has been
   * shown as `***` there: the rest of it is left out. Without a secret it is a view of the same memory.
   */
  apply(region: Buffer, from: number, to: number): Buffer {
    const pieces = this.pieces(region, from, to);
    const [only] = pieces;
    if (only !== undefined && pieces.length === 1 && !only.isSecret) return only.bytes;
    return Buffer.concat(pieces.map(({ bytes }) => bytes));
  }

  /** The same, not put together: who reads it can tell where in the region each byte stands. */
  pieces(region: Buffer, from: number, to: number): Piece[] {
    const pieces: Piece[] = [];
    const plain = (start: number, end: number): void => {
      if (start < end) pieces.push({ start, bytes: region.subarray(start, end), isSecret: false });
    };
    let at = from;
    for (const span of this.#spans(region, from, to)) {
      if (span.end <= from || span.start >= to) continue;
      if (span.start >= from) {
        plain(at, span.start);
        pieces.push({ start: span.start, bytes: STARS, isSecret: true });
      }
      at = Math.min(span.end, to);
    }
    plain(at, to);
    return pieces;
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

/**
 * A secret as programs print it: as it is, in JSON as JavaScript and as PHP write it, in a URL, in base64. Of one with
 * several lines each line by itself too: whoever prints them indents them, or makes one of them.
 */
function formsOf(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const inPhp = json.replaceAll('/', '\\/').replace(/[^\0-\x7f]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  const inUrl = encodeURIComponent(secret);
  const base64 = Buffer.from(secret).toString('base64').replace(/=+$/, '');
  const lines = secret.split(/\r\n|\r|\n/).map((line) => line.trim());
  const forms = [
    secret,
    json,
    inPhp,
    inUrl,
    inUrl.replaceAll('%20', '+'),
    base64,
    ...(lines.length > 1 ? lines : []),
  ];
  return forms.filter((form) => form.length >= SHORTEST_FORM);
}

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
  const head = literal.subarray(0, HEAD_BYTES);
  const isBegun = (at: number): boolean =>
    region.compare(literal, 0, region.length - at, at, region.length) === 0;
  const first = Math.max(0, region.length - literal.length + 1);
  // A certificate has thousands of beginnings: few places are worth a look.
  for (let at = region.indexOf(head, first); at >= 0; at = region.indexOf(head, at + 1)) {
    if (isBegun(at)) return region.length - at;
  }
  for (let at = Math.max(first, region.length - head.length + 1); at < region.length; at += 1) {
    if (isBegun(at)) return region.length - at;
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
