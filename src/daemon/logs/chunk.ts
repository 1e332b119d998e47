import { type Hole, removedLine } from './holes.ts';
import type { Mask, Piece } from './mask.ts';
import { restOfCharacter, unfinishedCharacter } from './utf8.ts';

/**
 * A piece of a log. `data` stands for the bytes from `offset` to `next`, though it may be shorter or longer: masked
 * values are `***`, and where the middle of the log was removed one line says so. The next piece begins at `next`.
 */
export interface LogChunk {
  readonly offset: number;
  readonly data: Buffer;
  readonly next: number;
  /** Of the whole file, when it was read. */
  readonly size: number;
}

/** The same, not put together: pieces by where they stand in the file, or a hole. */
export interface ChunkInPieces {
  readonly offset: number;
  readonly pieces: readonly Piece[] | 'hole';
  readonly next: number;
  readonly size: number;
}

/** What was read of a log: `bytes` begin at `start`, which lies some way before the place that is to be shown. */
export interface Window {
  readonly bytes: Buffer;
  readonly start: number;
  readonly size: number;
  readonly hole: Hole | null;
}

export interface Wanted {
  readonly offset: number;
  readonly length: number;
  /** `character`: an offset inside a character moves to the next one. `exact`: it stays. */
  readonly start: 'exact' | 'character';
  /** `growing`: more may come after the file's end, so a character or secret that is not whole yet waits there. */
  readonly ends: 'growing' | 'final';
}

/** A shorter chunk could be a part of one character, and nothing would be left once it is cut off. */
export const MIN_CHUNK_BYTES = 4;

const LF = 10;

/**
 * Cuts a chunk out of a window. It never ends within a character, so that a text stays text however it is cut; the
 * bytes before and after it in the window show which of its own belong to a secret. Depends on nothing but the bytes
 * around it, never on how the log was cut before: a reader that comes back, or another process, can go on at `next`.
 */
export function cutChunk(window: Window, wanted: Wanted, mask: Mask): LogChunk {
  const cut = cutOut(window, wanted, mask);
  if (cut.kind === 'hole') return removedChunk(window, wanted.offset, cut.hole);
  const { region, base, from, to } = cut;
  return { offset: base + from, data: mask.apply(region, from, to), next: base + to, size: window.size };
}

/** As cutChunk does. */
export function cutPieces(window: Window, wanted: Wanted, mask: Mask): ChunkInPieces {
  const { size } = window;
  const cut = cutOut(window, wanted, mask);
  if (cut.kind === 'hole') return { offset: wanted.offset, pieces: 'hole', next: cut.hole.end, size };
  const { region, base, from, to } = cut;
  const pieces = mask.pieces(region, from, to).map((piece) => ({ ...piece, start: base + piece.start }));
  return { offset: base + from, pieces, next: base + to, size };
}

type Cut =
  | { readonly kind: 'hole'; readonly hole: Hole }
  /** Of a region that begins at `base` in the file, the bytes from `from` to `to`. */
  | {
      readonly kind: 'text';
      readonly region: Buffer;
      readonly base: number;
      readonly from: number;
      readonly to: number;
    };

function cutOut(window: Window, wanted: Wanted, mask: Mask): Cut {
  const { bytes, start, size } = window;
  const hole = window.hole !== null && window.hole.end <= size ? window.hole : null;
  if (hole !== null && wanted.offset >= hole.start && wanted.offset < hole.end) return { kind: 'hole', hole };
  // Everything from here on is relative to the window, of which only one side of the hole counts.
  const low = hole !== null && hole.end <= wanted.offset ? Math.max(0, hole.end - start) : 0;
  const limit = (hole !== null && hole.start > wanted.offset ? hole.start : size) - start;
  const region = bytes.subarray(low, Math.max(low, Math.min(bytes.length, limit)));
  const offset = Math.min(wanted.offset - start - low, region.length);
  const from = wanted.start === 'character' ? offset + restOfCharacter(region, offset) : offset;
  const to = endOfChunk(region, from, wanted, {
    mask,
    endsAt: limit - low,
    atFileEnd: limit + start === size,
  });
  return { kind: 'text', region, base: start + low, from, to };
}

interface End {
  readonly mask: Mask;
  /** Where the file, or what stands before the hole, ends: beyond the region when that is only a part of it. */
  readonly endsAt: number;
  readonly atFileEnd: boolean;
}

function endOfChunk(region: Buffer, from: number, wanted: Wanted, end: End): number {
  const asked = Math.min(from + Math.max(wanted.length, MIN_CHUNK_BYTES), region.length);
  const maybeMore = end.atFileEnd && wanted.ends === 'growing';
  const held = maybeMore && region.length === end.endsAt ? end.mask.unfinished(region) : 0;
  const to = Math.max(from, Math.min(asked, region.length - held));
  if (to === end.endsAt && !maybeMore) return to;
  return Math.max(from, to - unfinishedCharacter(region, to));
}

function removedChunk(window: Window, offset: number, hole: Hole): LogChunk {
  const before = window.bytes[hole.start - 1 - window.start];
  const midLine = offset === hole.start && before !== undefined && before !== LF;
  const data = Buffer.from(`${midLine ? '\n' : ''}${removedLine(hole.end - offset)}`);
  return { offset, data, next: hole.end, size: window.size };
}
