import { RocksyError } from './errors.ts';

/** How deep JSON may nest; beyond it recursive code (ours, or a runtime's) could run out of stack. */
export const MAX_JSON_DEPTH = 100;

/** Numbers whose text JavaScript does not give back: many digits, fractions, exponents, a negative zero. */
const FRAGILE_NUMBER = /\d{16}|\d[.eE]|-0/;

/** An escape that is half of a surrogate pair; the other half may stand beside it. */
const SURROGATE = /\\u[dD][89a-fA-F]/;

/** A JSON value as it was written: `JSON.stringify` gives back the source text of numbers that doubles can't hold. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | RawNumber
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** What `JSON.rawJSON` makes: the source text of one number. */
export interface RawNumber {
  readonly rawJSON: string;
}

declare global {
  interface JSON {
    // ECMAScript "JSON.parse source text access", in V8 since 11.4; TypeScript's lib does not know it yet.
    rawJSON(text: string): RawNumber;
    isRawJSON(value: unknown): value is RawNumber;
  }
}

function keepSource(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || context?.source === undefined || context.source === String(value))
    return value;
  return JSON.rawJSON(context.source);
}

/** The source text of a number, however large. */
export function numberText(value: number | RawNumber): string {
  return typeof value === 'number' ? String(value) : value.rawJSON;
}

/** Nesting of JSON text, strings skipped. One pass, no recursion: safe on hostile input. */
export function jsonDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 92) i++;
      else if (c === 34) inString = false;
    } else if (c === 34) inString = true;
    else if (c === 123 || c === 91) {
      if (++depth > deepest) deepest = depth;
    } else if (c === 125 || c === 93) depth--;
  }
  return deepest;
}

/** Parses the object of a request. Throws `invalid_json`. */
export function parseObject(text: string): { readonly [key: string]: JsonValue } {
  if (jsonDepth(text) > MAX_JSON_DEPTH) {
    throw new RocksyError('invalid_json', `The JSON nests deeper than ${MAX_JSON_DEPTH}`);
  }
  let value: unknown;
  try {
    value = FRAGILE_NUMBER.test(text) ? JSON.parse(text, keepSource) : JSON.parse(text);
  } catch (cause) {
    throw new RocksyError('invalid_json', `Invalid JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value) || JSON.isRawJSON(value)) {
    throw new RocksyError('invalid_json', 'A request takes a JSON object');
  }
  return value as { readonly [key: string]: JsonValue };
}

/**
 * Parses the object of a request that comes from outside: as `parseObject`, and all its texts have a UTF-8 form.
 * What has none (half of a surrogate pair) would reach neither the disk nor a PHP as it was sent.
 */
export function parseForeignObject(text: string): { readonly [key: string]: JsonValue } {
  const object = parseObject(text);
  if (SURROGATE.test(text) && !isWellFormed(object)) {
    throw new RocksyError('invalid_json', 'The JSON holds half of a surrogate pair, which is no character');
  }
  return object;
}

function isWellFormed(value: JsonValue): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([name, inner]) => name.isWellFormed() && isWellFormed(inner));
}
