import {
  ORIGINAL,
  originalUnknown,
  type RawRequest,
  type RequestName,
  type RocksyError,
} from '../../wire/index.ts';

/** The answer of one of the original's requests in the original's words, or null where it had none. */
export function originalAnswer(name: RequestName, fields: object): object | null {
  switch (name) {
    case 'run':
    case 'free':
    case 'terminate':
      return ORIGINAL.ok;
    case 'check':
      return 'retcode' in fields ? { retcode: fields.retcode } : ORIGINAL.stillRunning;
    case 'restart':
      return ORIGINAL.restarted;
    default:
      // `stop` and `bye` are answered by the end of the connection.
      return null;
  }
}

/** The original told a bad hash from an unknown one in two of its requests, and not in the same words. */
const HASH_NOT_NUMERIC: Readonly<Record<string, object>> = {
  run: ORIGINAL.runHashNotNumeric,
  check: ORIGINAL.hashNotNumeric,
  free: ORIGINAL.notFound,
  terminate: ORIGINAL.notFound,
};

/** An error in the original's words, where it knew any. */
export function originalError(raw: RawRequest, error: RocksyError): object | null {
  switch (error.code) {
    case 'hash_not_numeric':
      return HASH_NOT_NUMERIC[raw.name] ?? null;
    case 'not_found':
      return ORIGINAL.notFound;
    case 'not_running':
      return ORIGINAL.notRunning;
    case 'unknown_request':
      return originalUnknown(raw.name, raw.text);
    default:
      return null;
  }
}
