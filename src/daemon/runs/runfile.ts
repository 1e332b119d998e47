import { closeSync, fstatSync, readSync } from 'node:fs';
import { type JsonValue, jsonDepth, MAX_JSON_DEPTH, type Progress, parseObject } from '../../wire/index.ts';
import { openPoolFileNow, type PoolFile, UnsafeFileError } from '../logs/index.ts';
import { NO_REPORT, type Report } from './run.ts';

/** Who has made itself the one execution of the key. The pool's user could write anything here: never signal by it. */
export interface Claim {
  readonly pid: number;
  /** Clock ticks since boot: with pid and boot it names a process for ever. */
  readonly startTime: number;
  readonly bootId: string;
  readonly atMs: number;
}

/** What a run file says (docs/zygote.md, 'The run file'). */
export interface RunFileContents {
  /** Null in a file that is empty or damaged: the key is claimed all the same, since the file exists. */
  readonly claim: Claim | null;
  readonly report: Report;
}

const HEAD_BYTES = 4096;
const TAIL_BYTES = 262_144;
/** Enough for the longest progress line and some more lines after it. */
const PROGRESS_TAIL_BYTES = 8192;

const MAX_TEXT_BYTES = 1000;
const MAX_ERROR_BYTES = 8000;
const MAX_RESULT_BYTES = 65_536;
const MAX_RESULT_DEPTH = MAX_JSON_DEPTH - 10;
/** So many lines are tried as JSON, from the last one back: a file full of wrong ones would take 100 ms. */
const RESULT_TRIES = 16;

const RESULT = 'result ';
// Later versions may add fields behind these.
const CLAIM = /^claim \d+ (\d{1,10}) (\d{1,16}) ([0-9A-Za-z-]{1,64}) (\d{1,16})(?: |$)/;
const PROGRESS = /^progress (-|\d{1,3}(?:\.\d{1,20})?)(?: (.*))?$/s;
const EXIT = /^exit (\d{1,3})$/;

/**
 * Reads a run file's text. The first claim counts, and of everything else the last line that is valid; what is not
 * understood is passed over, and so is a last line without its line end, which may be a part of one.
 */
export function parseRunFile(text: string): RunFileContents {
  const lines = text.split('\n').slice(0, -1);
  const results = lines.filter((line) => line.startsWith(RESULT)).slice(-RESULT_TRIES);
  return {
    claim: firstOf(lines, parseClaim),
    report: {
      error: lastOf(lines, parseError) ?? NO_REPORT.error,
      result: lastOf(results, parseResult)?.value ?? NO_REPORT.result,
      progress: lastOf(lines, parseProgress) ?? NO_REPORT.progress,
      exit: lastOf(lines, parseExit) ?? NO_REPORT.exit,
    },
  };
}

/**
 * Reads the run file; null when there is none, so that the run has not begun. Of a large one the first 4 KiB and the
 * last 256 KiB. Something else that the pool's user has put in its place is a claim that says nothing.
 *
 * Synchronous: what becomes of a run is decided by it, in one turn; and for some hundred bytes that were just written
 * the threadpool costs more than the reading.
 */
export function readRunFile(file: PoolFile): RunFileContents | null {
  try {
    const fd = openPoolFileNow(file);
    if (fd === null) return null;
    try {
      return parseRunFile(headAndTail(fd));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof UnsafeFileError) return { claim: null, report: NO_REPORT };
    throw error;
  }
}

/** The last progress in a run file's last 8 KiB, for whoever looks often. Throws UnsafeFileError. */
export function readProgress(file: PoolFile): Progress | null {
  const fd = openPoolFileNow(file);
  if (fd === null) return null;
  try {
    const { size } = fstatSync(fd);
    return lastOf(tail(fd, size, PROGRESS_TAIL_BYTES).split('\n').slice(0, -1), parseProgress);
  } finally {
    closeSync(fd);
  }
}

function headAndTail(fd: number): string {
  const { size } = fstatSync(fd);
  if (size <= HEAD_BYTES + TAIL_BYTES) return readNow(fd, 0, size).toString();
  const head = readNow(fd, 0, HEAD_BYTES);
  // Whole lines only: a part of a line could mean something else.
  return head.toString('utf8', 0, head.lastIndexOf(10) + 1) + tail(fd, size, TAIL_BYTES);
}

function tail(fd: number, size: number, length: number): string {
  if (size <= length) return readNow(fd, 0, size).toString();
  const bytes = readNow(fd, size - length, length);
  const lineEnd = bytes.indexOf(10);
  return lineEnd < 0 ? '' : bytes.toString('utf8', lineEnd + 1);
}

function readNow(fd: number, position: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  for (let n = -1; n !== 0 && filled < length; filled += n)
    n = readSync(fd, bytes, filled, length - filled, position + filled);
  return bytes.subarray(0, filled);
}

function firstOf<T>(lines: readonly string[], parse: (line: string) => T | null): T | null {
  for (const line of lines) {
    const value = parse(line);
    if (value !== null) return value;
  }
  return null;
}

function lastOf<T>(lines: readonly string[], parse: (line: string) => T | null): T | null {
  for (let at = lines.length - 1; at >= 0; at -= 1) {
    const value = parse(lines[at] ?? '');
    if (value !== null) return value;
  }
  return null;
}

function parseClaim(line: string): Claim | null {
  const [, pid, startTime, bootId, atMs] = CLAIM.exec(line) ?? [];
  if (bootId === undefined) return null;
  return { pid: Number(pid), startTime: Number(startTime), bootId, atMs: Number(atMs) };
}

function parseProgress(line: string): Progress | null {
  const found = PROGRESS.exec(line);
  if (found === null) return null;
  const percent = found[1] === '-' ? null : Number(found[1]);
  if (percent !== null && percent > 100) return null;
  return { percent, text: cut(found[2] ?? '', MAX_TEXT_BYTES) };
}

function parseError(line: string): string | null {
  return line.startsWith('error ') ? cut(line.slice('error '.length), MAX_ERROR_BYTES) : null;
}

function parseExit(line: string): number | null {
  const code = Number(EXIT.exec(line)?.[1] ?? Number.NaN);
  return code <= 255 ? code : null;
}

/** In an object of its own, so that a result that is null is told from none. */
function parseResult(line: string): { value: JsonValue } | null {
  const json = line.slice(RESULT.length);
  // A deeper one could not be read again in an answer, which nests it further.
  if (Buffer.byteLength(json) > MAX_RESULT_BYTES || jsonDepth(json) > MAX_RESULT_DEPTH) return null;
  try {
    // By itself first: `1,"x":2` is no JSON, but would be in the object that parseObject takes.
    JSON.parse(json);
    return { value: parseObject(`{"value":${json}}`).value ?? null };
  } catch {
    return null;
  }
}

/** The text, cut to so many bytes at a character. */
function cut(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text;
  return Buffer.from(text)
    .toString('utf8', 0, maxBytes)
    .replace(/\ufffd+$/, '');
}
