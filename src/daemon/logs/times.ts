import { appendFile, open, readFile, truncate } from 'node:fs/promises';
import { isMissing, replaceFile } from './holes.ts';

interface Pair {
  readonly atMs: number;
  readonly size: number;
}

/** What is known of an index that is being written. */
interface Index {
  last: Pair;
  /** The latest time that any look has seen, kept or not. */
  latestMs: number;
  pending: Pair[];
  /** How many may wait. At first fewer, another number for each log, so that not all are written in one turn. */
  writeAt: number;
  /** Bytes of the file, null while nobody has looked. */
  written: number | null;
  /** Writes to one file come one after the other. */
  writing: Promise<unknown>;
}

const PAIR_BYTES = 16;
const MAX_PAIRS = 4096;
const EVERY_MS = 1000;
/** So many pairs wait in memory: a write for every log every second would cost more than everything else about logs. */
const MAX_PENDING = 64;

/**
 * At which time a log had which size: `NOTES.idx`, pairs of two 64-bit little-endian numbers (milliseconds of the
 * epoch, bytes). With it a log is read from a time on; a crash may cost the last minute, and the answer begins earlier.
 * Beyond 4,096 pairs every other one goes, so that what is long ago is known less exactly. The files stand in a folder
 * of the daemon's own.
 */
export class LogTimes {
  readonly #indexes = new Map<string, Index>();

  /** The log had this size at this time. At most one pair a second is kept. `true`: it is time to `write`. */
  note(notes: string, nowMs: number, size: number): boolean {
    const index = this.#indexes.get(notes);
    // A clock that was set back stands still here: what is written meanwhile must not count as older than it is.
    const atMs = Math.max(nowMs, index?.latestMs ?? nowMs);
    const pair = { atMs, size };
    if (index === undefined) {
      const writeAt = MAX_PENDING - (this.#indexes.size % MAX_PENDING);
      this.#indexes.set(notes, {
        last: pair,
        latestMs: atMs,
        pending: [pair],
        writeAt,
        written: null,
        writing: Promise.resolve(),
      });
      return writeAt === 1;
    }
    index.latestMs = atMs;
    if (index.last.size === size || atMs - index.last.atMs < EVERY_MS) return false;
    index.last = pair;
    index.pending.push(pair);
    return index.pending.length >= index.writeAt;
  }

  /** Writes down what waits in memory. */
  async write(notes: string): Promise<void> {
    const index = this.#indexes.get(notes);
    if (index === undefined) return;
    const pairs = index.pending;
    index.pending = [];
    index.writeAt = MAX_PENDING;
    const writing = index.writing.then(() => append(notes, index, pairs));
    // This caller hears of a failure; the next write only waits its turn.
    index.writing = Promise.allSettled([writing]);
    await writing;
  }

  /** The run has ended: writes the rest down and forgets the log. The index stays on disk. */
  async close(notes: string): Promise<void> {
    await this.write(notes);
    this.#indexes.delete(notes);
  }

  /** For a takeover or the end: everything that is known gets written down. */
  async writeAll(): Promise<void> {
    await Promise.all([...this.#indexes.keys()].map((notes) => this.write(notes)));
  }

  /** Where what was written at or after this time begins; up to a second too early, never too late. */
  async offsetAt(notes: string, sinceMs: number): Promise<number> {
    const index = this.#indexes.get(notes);
    await index?.writing;
    // Not a binary search: after a restart of the daemon pairs may be out of order, and there are few.
    let offset = 0;
    for (const pair of [...(await readPairs(notes)), ...(index?.pending ?? [])]) {
      if (pair.atMs > sinceMs) break;
      offset = pair.size;
    }
    return offset;
  }
}

async function append(notes: string, index: Index, pairs: readonly Pair[]): Promise<void> {
  if (pairs.length === 0) return;
  const path = `${notes}.idx`;
  index.written ??= await wholePairs(path);
  const count = index.written / PAIR_BYTES + pairs.length;
  if (count > MAX_PAIRS) {
    const kept = [...(await readPairs(notes)), ...pairs].filter((_, at) => at % 2 === 0);
    await replaceFile(path, encode(kept));
    index.written = kept.length * PAIR_BYTES;
    return;
  }
  // Unknown until the write has succeeded: a full disk may take a part of it.
  index.written = null;
  await appendFile(path, encode(pairs), { mode: 0o600 });
  index.written = count * PAIR_BYTES;
}

/** The bytes of whole pairs in the file; a torn last one, left by a crash, is cut off. */
async function wholePairs(path: string): Promise<number> {
  try {
    await using handle = await open(path, 'r');
    const { size } = await handle.stat();
    const whole = size - (size % PAIR_BYTES);
    if (whole !== size) await truncate(path, whole);
    return whole;
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}

async function readPairs(notes: string): Promise<Pair[]> {
  try {
    return decode(await readFile(`${notes}.idx`));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function encode(pairs: readonly Pair[]): Buffer {
  const bytes = Buffer.alloc(pairs.length * PAIR_BYTES);
  for (const [at, pair] of pairs.entries()) {
    bytes.writeBigUInt64LE(BigInt(pair.atMs), at * PAIR_BYTES);
    bytes.writeBigUInt64LE(BigInt(pair.size), at * PAIR_BYTES + 8);
  }
  return bytes;
}

function decode(bytes: Buffer): Pair[] {
  const pairs: Pair[] = [];
  for (let at = 0; at + PAIR_BYTES <= bytes.length; at += PAIR_BYTES) {
    const pair = { atMs: Number(bytes.readBigUInt64LE(at)), size: Number(bytes.readBigUInt64LE(at + 8)) };
    if (!Number.isSafeInteger(pair.atMs) || !Number.isSafeInteger(pair.size)) break;
    pairs.push(pair);
  }
  return pairs;
}
