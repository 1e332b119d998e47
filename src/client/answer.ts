import {
  ERROR_CODES,
  type ErrorCode,
  type JsonValue,
  type PoolView,
  parseObject,
  RocksyError,
  type RunView,
} from '../wire/index.ts';
import { ConnectionError } from './errors.ts';

export type AnswerFields = { readonly [name: string]: JsonValue };

/** What `stats` tells: counters, memory, connections. Names are added over time. */
export type Stats = AnswerFields;

/** A line of a log that holds what was looked for. */
export interface LogMatch {
  /** Where the line begins, in bytes of the log. */
  readonly offset: number;
  /** As it is shown, and of a long line what is around the match. */
  readonly line: string;
}

export interface LogMatches {
  readonly matches: readonly LogMatch[];
  /** Where a search for more goes on. */
  readonly next_offset: number;
  readonly size: number;
  /** The run has ended and all is searched. */
  readonly end: boolean;
}

/** A line of the daemon that is about a request. */
export type Message =
  | { readonly kind: 'answer'; readonly id: number; readonly fields: AnswerFields }
  | { readonly kind: 'refusal'; readonly id: number; readonly error: RocksyError }
  | { readonly kind: 'push'; readonly id: number; readonly event: string; readonly fields: AnswerFields };

/** A line of the daemon, told apart. An error that belongs to no request is the last line before it closes the connection. */
export type Incoming = Message | { readonly kind: 'farewell'; readonly error: RocksyError };

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const SHOWN_CHARACTERS = 80;

/** Reads a line of the daemon. Throws a `TypeError` that quotes a line which is none of the protocol's. */
export function decodeLine(line: Buffer): Incoming {
  const incoming = tellApart(line);
  if (incoming === null) throw new TypeError(`not an answer: ${quote(line)}`);
  return incoming;
}

function tellApart(line: Buffer): Incoming | null {
  let fields: AnswerFields;
  try {
    fields = parseObject(UTF8.decode(line));
  } catch {
    return null;
  }
  const { id, ok, event } = fields;
  if (ok === false && typeof fields.code === 'string') {
    const error = refusal(fields.code, fields);
    return typeof id === 'number' ? { kind: 'refusal', id, error } : { kind: 'farewell', error };
  }
  if (typeof id !== 'number') return null;
  if (ok === true) return { kind: 'answer', id, fields };
  return typeof event === 'string' ? { kind: 'push', id, event, fields } : null;
}

function refusal(code: string, fields: AnswerFields): RocksyError {
  const { message, hint, output } = fields;
  const text = typeof message === 'string' ? message : 'The daemon gave no reason';
  const more = {
    ...(typeof hint === 'string' ? { hint } : {}),
    ...(typeof output === 'string' ? { output } : {}),
  };
  // A newer daemon may know codes that this client does not.
  return isErrorCode(code)
    ? new RocksyError(code, text, more)
    : new RocksyError('internal', `${code}: ${text}`, more);
}

function isErrorCode(code: string): code is ErrorCode {
  return (ERROR_CODES as readonly string[]).includes(code);
}

function quote(line: Buffer): string {
  const text = line.subarray(0, SHOWN_CHARACTERS * 4).toString('utf8');
  const short = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  return JSON.stringify(short);
}

/** The `run` of an answer or event. */
export function runOf(fields: AnswerFields): RunView {
  const run = fields.run;
  if (!isObject(run) || typeof run.key !== 'string') throw misshapen('an answer without its run');
  return run as unknown as RunView;
}

/** The `runs` of a page and the cursor of the next one. */
export function pageOf(fields: AnswerFields): {
  readonly runs: readonly RunView[];
  readonly next: string | null;
} {
  const { runs, next } = fields;
  if (!Array.isArray(runs)) throw misshapen('a list without its runs');
  return { runs: runs as unknown as readonly RunView[], next: typeof next === 'string' ? next : null };
}

export function poolsOf(fields: AnswerFields): readonly PoolView[] {
  const pools = fields.pools;
  if (!Array.isArray(pools)) throw misshapen('an answer without its pools');
  return pools as unknown as readonly PoolView[];
}

/** The bytes of an answer or event that carries a piece of a log. */
export function logBytes(fields: AnswerFields): Buffer {
  const { data, data_base64: base64 } = fields;
  if (typeof base64 === 'string') return Buffer.from(base64, 'base64');
  return Buffer.from(typeof data === 'string' ? data : '', 'utf8');
}

/** The `matches` of a search, and how far it got. */
export function matchesOf(fields: AnswerFields): LogMatches {
  const { matches, end } = fields;
  const [next, size] = [numberOf(fields, 'next_offset'), numberOf(fields, 'size')];
  if (!Array.isArray(matches) || next === undefined || size === undefined)
    throw misshapen('a search without its matches');
  return { matches: matches as unknown as readonly LogMatch[], next_offset: next, size, end: end === true };
}

/** A number of an answer, or undefined when there is none. */
export function numberOf(fields: AnswerFields, name: string): number | undefined {
  const value = fields[name];
  return typeof value === 'number' ? value : undefined;
}

function misshapen(what: string): ConnectionError {
  return new ConnectionError('protocol', `The daemon does not answer as a rocksyd does: ${what}`, []);
}

function isObject(value: JsonValue | undefined): value is AnswerFields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}
