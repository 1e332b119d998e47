import { createHash } from 'node:crypto';

declare const brand: unique symbol;

/** The name of a run: 1 to 255 bytes of UTF-8 without control characters, chosen by whoever asks; the idempotency key. */
export type RunKey = string & { readonly [brand]: 'RunKey' };

/** The base name of a run's files: safe in a path, one for each key. */
export type RunFile = string & { readonly [brand]: 'RunFile' };

const MAX_KEY_BYTES = 255;
const PLAIN = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const CONTROL = /[\u0000-\u001f\u007f]/;

/** The text as a key, or null when it can't be one. */
export function parseKey(text: string): RunKey | null {
  // Half surrogate pairs have no UTF-8: all of them would become the same U+FFFD on disk.
  if (text === '' || !text.isWellFormed() || CONTROL.test(text) || Buffer.byteLength(text) > MAX_KEY_BYTES)
    return null;
  return text as RunKey;
}

/**
 * The base name of the files of a key. Short plain keys name their files themselves, so that a person finds them;
 * any other is named by `~` and the first 128 bits of its SHA-256. `~` can't stand in a plain key: the two never meet.
 */
export function fileOfKey(key: RunKey): RunFile {
  if (PLAIN.test(key)) return key as string as RunFile;
  return `~${createHash('sha256').update(key).digest('hex').slice(0, 32)}` as RunFile;
}
