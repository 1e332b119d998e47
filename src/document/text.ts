import { readFileSync } from 'node:fs';
import { DocumentError } from './problem.ts';

/** Throws a `DocumentError` that says why it can't be read. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const error = new DocumentError(path, [
      { line: 0, column: 0, key: '', message: `can't be read: ${reason}` },
    ]);
    error.cause = cause;
    throw error;
  }
}
