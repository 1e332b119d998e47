import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';

/** The bytes of a log that were given back to the file system: from `start` up to, not including, `end`. */
export interface Hole {
  readonly start: number;
  readonly end: number;
}

/** A log is never bounded to less, so nothing is removed from a smaller one. */
export const MIN_BOUND_BYTES = 65_536;

const RECORD = /^hole 1 (\d{1,16}) (\d{1,16})\n$/;

/** What has been removed from a log, or null. A record that nobody can read counts as none: zeros are shown then. */
export async function readHole(notes: string): Promise<Hole | null> {
  try {
    const found = RECORD.exec(await readFile(`${notes}.hole`, 'latin1'));
    if (found === null) return null;
    const [start, end] = [Number(found[1]), Number(found[2])];
    return start < end && Number.isSafeInteger(end) ? { start, end } : null;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

export async function writeHole(notes: string, hole: Hole): Promise<void> {
  await replaceFile(`${notes}.hole`, `hole 1 ${hole.start} ${hole.end}\n`);
}

export async function removeHole(notes: string): Promise<void> {
  await rm(`${notes}.hole`, { force: true });
}

/** Forgets everything that is noted about a log. */
export async function removeNotes(notes: string): Promise<void> {
  await Promise.all([rm(`${notes}.idx`, { force: true }), removeHole(notes)]);
}

/** Puts new contents in a file's place at once: a reader sees the old or the new. Not synced: notes may be lost. */
export async function replaceFile(path: string, contents: string | Buffer): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeFile(temporary, contents, { mode: 0o600, flag: 'wx' });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];

/** The line that readers see in the place of a hole. */
export function removedLine(bytes: number): string {
  let [amount, unit] = [bytes, 0];
  while (amount >= 1024 && unit < UNITS.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `[… ${unit === 0 ? amount : amount.toFixed(1)} ${UNITS[unit]} removed …]\n`;
}
