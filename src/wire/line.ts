import { RocksyError } from './errors.ts';
import { type JsonValue, parseForeignObject, type RawNumber } from './json.ts';

/** The client's own name for a request, echoed as it was written. */
export type RequestId = string | number | RawNumber;

/** The seven requests of the original protocol. */
export const ORIGINAL_REQUESTS: ReadonlySet<string> = new Set([
  'run',
  'check',
  'free',
  'terminate',
  'restart',
  'stop',
  'bye',
]);

/** A line taken apart, before its fields are looked at. */
export interface RawRequest {
  readonly name: string;
  /** The JSON text as it was sent, `{}` when there was none. */
  readonly text: string;
  readonly fields: { readonly [key: string]: JsonValue };
  readonly id: RequestId | undefined;
  /** Whether the answer is the original protocol's, byte for byte. */
  readonly original: boolean;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Takes a line apart. Throws `invalid_json`. */
export function parseLine(line: Buffer): RawRequest {
  let whole: string;
  try {
    whole = UTF8.decode(line);
  } catch (cause) {
    throw new RocksyError('invalid_json', 'The line is not valid UTF-8', { cause });
  }
  const space = whole.indexOf(' ');
  const name = space < 0 ? whole : whole.slice(0, space);
  const rest = space < 0 ? '' : whole.slice(space + 1).trim();
  const text = rest === '' ? '{}' : rest;
  const fields = parseForeignObject(text);
  const id = requestId(fields.id);
  return { name, text, fields, id, original: id === undefined && fields.key === undefined };
}

function requestId(value: JsonValue | undefined): RequestId | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && Buffer.byteLength(value) <= 255) return value;
  if (typeof value === 'number' || (JSON.isRawJSON(value) && value.rawJSON.length <= 255)) return value;
  throw new RocksyError('invalid_request', 'id: expected a string of at most 255 bytes or a number');
}
