import type { FileHandle } from 'node:fs/promises';
import { setImmediate as nextTurnOfLoop } from 'node:timers/promises';
import { isPosixError, punchHole } from '../../posix/index.ts';
import { type LogFile, openPoolFile, readFully } from './files.ts';
import { type Hole, MIN_BOUND_BYTES, readHole, removeHole, writeHole } from './holes.ts';
import { restOfCharacter, unfinishedCharacter } from './utf8.ts';

/** What became of a log that may have grown too large. */
export type Bounded =
  | { readonly state: 'within'; readonly removedBytes: number }
  | { readonly state: 'cut'; readonly removedBytes: number }
  /** The file system can't make holes. The log stays whole, and the floor of free disk space is what protects. */
  | { readonly state: 'unsupported' };

/** How far a hole's border moves to stand at the end of a line. */
const LINE_BYTES = 4096;
/** What is freed before the event loop gets its turn: 1 to 3 ms on ext4 when all of it is in memory. */
const PIECE_BYTES = 8 << 20;
const LF = 10;

/**
 * Keeps what is left of a log within `maxBytes`: its first quarter stays for ever, half as much as allowed stays at
 * its end, and what is between is given back to the file system. The file's size and every offset stay as they are.
 *
 * What readers must not see is written down before anything is removed (`NOTES.hole`): after a crash between the two
 * the next call removes it. The record's borders stand at line ends, or at least at characters; the blocks between
 * them are what is freed.
 */
export async function boundLog(log: LogFile, maxBytes: number): Promise<Bounded> {
  const handle = await openPoolFile(log, 'write');
  if (handle === null) return { state: 'within', removedBytes: 0 };
  await using owned = handle;
  const { size, blksize, blocks } = await handle.stat();
  const former = await currentHole(log, size);
  const plan = planHole({ size, maxBytes, former, blockBytes: blksize });
  if (plan === null) {
    // It was written down and then never made. (`blocks` are of 512 bytes: stat(2).)
    if (former !== null && blocks * 512 >= size) await free(owned, inBlocks(former, blksize));
    return { state: 'within', removedBytes: former === null ? 0 : former.end - former.start };
  }
  const hole = {
    start: former?.start ?? (await lineEndBefore(owned, plan.start)),
    end: await lineEndAfter(owned, plan.end, size),
  };
  await writeHole(log.notes, hole);
  if (!(await free(owned, plan))) {
    // Nothing was removed, so nothing is hidden.
    await (former === null ? removeHole(log.notes) : writeHole(log.notes, former));
    return { state: 'unsupported' };
  }
  return { state: 'cut', removedBytes: hole.end - hole.start };
}

interface Measures {
  readonly size: number;
  readonly maxBytes: number;
  readonly former: Hole | null;
  readonly blockBytes: number;
}

/** What to remove, in whole blocks, or null. With a former hole it is that one, grown at its end. */
export function planHole({ size, maxBytes, former, blockBytes }: Measures): Hole | null {
  const max = Math.max(maxBytes, MIN_BOUND_BYTES);
  const left = size - (former === null ? 0 : former.end - former.start);
  if (left <= max) return null;
  const start = former === null ? down(max / 4, blockBytes) : inBlocks(former, blockBytes).start;
  const end = down(size - max / 2, blockBytes);
  return end > Math.max(start, former?.end ?? 0) ? { start, end } : null;
}

function inBlocks(range: Hole, blockBytes: number): Hole {
  return { start: down(range.start + blockBytes - 1, blockBytes), end: down(range.end, blockBytes) };
}

function down(bytes: number, blockBytes: number): number {
  return Math.floor(bytes / blockBytes) * blockBytes;
}

/** A record that goes beyond the end is of a log that the run has cut off itself: it means nothing any more. */
async function currentHole(log: LogFile, size: number): Promise<Hole | null> {
  const hole = await readHole(log.notes);
  if (hole === null || hole.end <= size) return hole;
  await removeHole(log.notes);
  return null;
}

/** In pieces, since fallocate keeps this thread busy for as long as it has pages to drop; `false`: can't be done. */
async function free(handle: FileHandle, range: Hole): Promise<boolean> {
  try {
    for (let at = range.start; at < range.end; at += PIECE_BYTES) {
      if (at > range.start) await nextTurnOfLoop();
      punchHole(handle.fd, at, Math.min(PIECE_BYTES, range.end - at));
    }
    return true;
  } catch (error) {
    if (isPosixError(error, 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) return false;
    throw error;
  }
}

async function lineEndBefore(handle: FileHandle, place: number): Promise<number> {
  const start = Math.max(0, place - LINE_BYTES);
  const bytes = await readFully(handle, start, place - start);
  const end = bytes.lastIndexOf(LF) + 1;
  return end > 0 ? start + end : place - unfinishedCharacter(bytes, bytes.length);
}

async function lineEndAfter(handle: FileHandle, place: number, size: number): Promise<number> {
  // From 4 bytes before: a line may end right there, and a character may have begun.
  const start = Math.max(0, place - 4);
  const bytes = await readFully(handle, start, Math.min(size, place + LINE_BYTES) - start);
  const end = bytes.indexOf(LF, place - start - 1) + 1;
  return end > 0 ? start + end : place + restOfCharacter(bytes, place - start);
}
