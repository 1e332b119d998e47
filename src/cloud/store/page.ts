import { StoreError } from './error.ts';

/** A part of a list. `next` leads to the part after it; null: there is none. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

export const PAGE = 50;
export const MAX_PAGE = 1000;

export function pageSize(limit: number = PAGE): number {
  return Math.max(1, Math.min(MAX_PAGE, Math.floor(limit)));
}

/** Of `limit + 1` rows that were asked for, the page, and the cursor after its last. */
export function pageOf<R, T>(
  rows: readonly R[],
  limit: number,
  parse: (row: R) => T,
  position: (row: R) => readonly (string | number)[],
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const next = rows.length > limit && last !== undefined ? encode(position(last)) : null;
  return { items: shown.map(parse), next };
}

function encode(position: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

export function oneNumber(cursor: string): number {
  const [number] = decode(cursor);
  if (typeof number !== 'number') throw badCursor(cursor);
  return number;
}

export function timeAndKey(cursor: string): readonly [number, string] {
  const [time, key] = decode(cursor);
  if (typeof time !== 'number' || typeof key !== 'string') throw badCursor(cursor);
  return [time, key];
}

export function twoTexts(cursor: string): readonly [string, string] {
  const [first, second] = decode(cursor);
  if (typeof first !== 'string' || typeof second !== 'string') throw badCursor(cursor);
  return [first, second];
}

function decode(cursor: string): readonly unknown[] {
  try {
    const position: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(position)) return position;
  } catch (cause) {
    throw badCursor(cursor, cause);
  }
  throw badCursor(cursor);
}

function badCursor(cursor: string, cause?: unknown): StoreError {
  const hint = 'take it unchanged from the `next` of the page before, of the same list';
  return new StoreError('bad_cursor', `'${cursor}' is not a cursor of this list`, { hint, cause });
}
