import { createHash } from 'node:crypto';

/** Of a longer text only this much is read, and of what is left of that, only so much counts. */
const READ_CHARS = 4000;
const COUNTED_CHARS = 300;

/** What differs from one time to the next, the more special before the more general. */
const VALUES: readonly (readonly [RegExp, string])[] = [
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours of a terminal are made of them
  [/\u001b\[[0-9;]*[A-Za-z]/g, ''],
  [/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi, '<uuid>'],
  [/"[^"\n]*"|`[^`\n]*`/g, '<value>'],
  // An apostrophe inside a word quotes nothing.
  [/(?<![\p{L}\p{N}])'[^'\n]*'(?![\p{L}\p{N}])/gu, '<value>'],
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?/g, '<time>'],
  // All that follow become the same: an id may by chance be a number.
  [/\b0x[0-9a-f]+\b/gi, '<n>'],
  [/\b(?=[a-f]*\d)[0-9a-f]{8,}\b/gi, '<n>'],
  // Tokens: long, and not only of letters.
  [/\b(?=(?:[A-Za-z_]*\d){3})\w{16,}\b/g, '<n>'],
  [/\d+(?:[.,:]\d+)*/g, '<n>'],
  [/\s+/g, ' '],
];

/** The cause without what is of one time only: numbers, ids, times, quoted values. */
export function normalCause(cause: string): string {
  let text = cause.slice(0, READ_CHARS);
  for (const [value, placeholder] of VALUES) text = text.replace(value, placeholder);
  return text.trim().slice(0, COUNTED_CHARS);
}

/** Two errors with the same fingerprint are one problem. */
export function fingerprintOf(cause: string): string {
  return createHash('sha256').update(normalCause(cause)).digest('hex').slice(0, 16);
}
