import type { FileHandle } from 'node:fs/promises';
import {
  type ChunkInPieces,
  cutChunk,
  cutPieces,
  type LogChunk,
  MIN_CHUNK_BYTES,
  type Wanted,
  type Window,
} from './chunk.ts';
import { type LogFile, openPoolFile, readFully } from './files.ts';
import { MIN_BOUND_BYTES, readHole } from './holes.ts';
import { type Mask, NO_MASK } from './mask.ts';

export interface LogRange {
  /** In bytes; negative: so many before the end. */
  readonly offset: number;
  /** In bytes, at most MAX_CHUNK_BYTES. A chunk may be 3 bytes longer than one of 1, so as to hold a character. */
  readonly length: number;
  /** What an offset inside a character means: `exact` when absent, but for a negative one always `character`. */
  readonly start?: Wanted['start'];
  /** `final` when the run has ended, so that the last bytes come whatever they are. */
  readonly ends: Wanted['ends'];
}

export const MAX_CHUNK_BYTES = 262_144;

/** What a hole's line and the character at the start need to know of the bytes before. */
const LOOK_BACK = 4;

/**
 * A piece of a log, masked. A log that does not exist yet is an empty one. An offset beyond the end gives an empty
 * chunk at that very offset. The descriptor lives only as long as the call. Throws UnsafeFileError.
 */
export async function readRange(log: LogFile, range: LogRange, mask: Mask = NO_MASK): Promise<LogChunk> {
  const handle = await openPoolFile(log, 'read');
  if (handle === null) return empty(range, 0);
  await using owned = handle;
  const { wanted, window, size } = await look(owned, log, range, mask);
  return window === null ? empty(range, size) : cutChunk(window, wanted, mask);
}

/** How much is read for a range of this length, at most. */
export function bytesToRead(length: number, mask: Mask): number {
  const around = Math.max(mask.reach, LOOK_BACK);
  return Math.max(length, MIN_CHUNK_BYTES) + around + mask.reach + LOOK_BACK;
}

/** The same of a log that is open, not put together; it is read into `memory`. */
export async function readPieces(
  handle: FileHandle,
  log: LogFile,
  range: LogRange,
  mask: Mask,
  memory: Buffer,
): Promise<ChunkInPieces> {
  const { wanted, window, size } = await look(handle, log, range, mask, memory);
  if (window !== null) return cutPieces(window, wanted, mask);
  const { offset, next } = empty(range, size);
  return { offset, pieces: [], next, size };
}

/** What has to be read for a range; a window of null: it begins beyond the end. */
async function look(
  handle: FileHandle,
  log: LogFile,
  range: LogRange,
  mask: Mask,
  memory?: Buffer,
): Promise<{ readonly wanted: Wanted; readonly window: Window | null; readonly size: number }> {
  const { size } = await handle.stat();
  const wanted: Wanted = {
    offset: range.offset < 0 ? Math.max(0, size + range.offset) : range.offset,
    length: Math.min(range.length, MAX_CHUNK_BYTES),
    start: range.offset < 0 ? 'character' : (range.start ?? 'exact'),
    ends: range.ends,
  };
  if (wanted.offset > size) return { wanted, window: null, size };
  const before = Math.max(mask.reach, LOOK_BACK);
  const start = Math.max(0, wanted.offset - before);
  const end = Math.min(size, wanted.offset - before + bytesToRead(wanted.length, mask));
  const bytes = await readFully(handle, start, end - start, memory);
  // Fewer bytes than there were: somebody has cut the file off meanwhile.
  const sizeNow = bytes.length < end - start ? start + bytes.length : size;
  if (wanted.offset > sizeNow) return { wanted, window: null, size: sizeNow };
  // Read after the bytes: whoever makes a hole writes it down first, so zeros that it left are known to be zeros.
  const hole = sizeNow < MIN_BOUND_BYTES ? null : await readHole(log.notes);
  return { wanted, window: { bytes, start, size: sizeNow, hole }, size: sizeNow };
}

function empty(range: LogRange, size: number): LogChunk {
  const offset = Math.max(0, range.offset);
  return { offset, data: Buffer.alloc(0), next: offset, size };
}
