import type { FileHandle } from 'node:fs/promises';
import { type LogFile, openPoolFile } from './files.ts';
import { type Mask, NO_MASK } from './mask.ts';
import { Needle } from './needle.ts';
import { LineScanner, type LogMatch } from './scan.ts';
import { bytesToRead, readPieces } from './tail.ts';

export interface LogSearch {
  /** A literal text, within a line. */
  readonly text: string;
  readonly ignoreCase: boolean;
  /** Where to begin, in bytes. */
  readonly offset: number;
  /** How many matches, at most. */
  readonly limit: number;
  /** `final` when the run has ended: nothing comes behind the last byte. */
  readonly ends: 'growing' | 'final';
  /** How much of the file is read, at most; no less than some KiB. Default: 32 MiB. */
  readonly maxBytes?: number;
  /** The size of the pieces in which it is read. */
  readonly chunkBytes?: number;
  /** Nobody waits for the answer any more. */
  readonly signal?: AbortSignal;
}

export interface LogMatches {
  readonly matches: readonly LogMatch[];
  /** Where a search goes on for more. */
  readonly next: number;
  /** Of the whole file, when it was read last. */
  readonly size: number;
}

const MAX_BYTES = 32 << 20;
/** What is searched before others get their turn. */
const CHUNK_BYTES = 131_072;
/** Of one answer, as of a chunk of `logs`. */
const MAX_TEXT_BYTES = 262_144;

/**
 * Finds the lines of a log that hold a text, in what readers are shown: what is masked or removed is not found. It
 * reads until it has as many matches as wanted, `maxBytes`, or all there is; `next` is where a further search goes on.
 * Throws UnsafeFileError.
 */
export async function searchLog(log: LogFile, search: LogSearch, mask: Mask = NO_MASK): Promise<LogMatches> {
  const handle = await openPoolFile(log, 'read');
  if (handle === null) return { matches: [], next: search.offset, size: 0 };
  await using owned = handle;
  return await searchIn(owned, log, search, mask);
}

async function searchIn(
  handle: FileHandle,
  log: LogFile,
  search: LogSearch,
  mask: Mask,
): Promise<LogMatches> {
  const { offset, ends, maxBytes = MAX_BYTES, chunkBytes: length = CHUNK_BYTES } = search;
  const needle = new Needle(search.text, search.ignoreCase);
  const scanner = new LineScanner(needle, { count: search.limit, textBytes: MAX_TEXT_BYTES }, offset);
  // One for all chunks: what is kept of one is copied before the next is read.
  const memory = Buffer.allocUnsafeSlow(bytesToRead(length, mask));
  let [at, left] = [offset, maxBytes];
  for (;;) {
    // The event loop goes round in every turn of this: reading is done by a thread of the pool.
    const chunk = await readPieces(handle, log, { offset: at, length, ends }, mask, memory);
    if (chunk.next === at) {
      scanner.finish();
      return { matches: scanner.matches, next: ends === 'final' ? at : scanner.next, size: chunk.size };
    }
    if (chunk.pieces === 'hole') {
      scanner.goOnAt(chunk.next);
    } else {
      scanner.push(chunk.pieces, chunk.next);
      left -= chunk.next - at;
    }
    at = chunk.next;
    if (scanner.isFull || left <= 0 || search.signal?.aborted === true)
      return { matches: scanner.matches, next: scanner.next, size: chunk.size };
  }
}
