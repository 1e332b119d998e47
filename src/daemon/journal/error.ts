import { RocksyError } from '../../wire/index.ts';
import { type Failure, failureOf } from './failure.ts';

export function errorOf(failure: Failure, cause?: unknown): RocksyError {
  return new RocksyError(failure.code, failure.message, {
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What `read` returns; what SQLite throws in it, as a RocksyError that names the file. */
export function reading<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof RocksyError) throw cause;
    throw errorOf(failureOf(cause, path), cause);
  }
}
