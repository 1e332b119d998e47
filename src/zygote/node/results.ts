import { inspect } from 'node:util';

/** An uncaught exception, a result that can't be told, a code that is none. */
export const FAILED = 255;
/** As Node itself ends where a top-level await never settles: https://nodejs.org/api/process.html#exit-codes */
export const UNSETTLED = 13;

const MOST_RESULT_BYTES = 65_536;

/** What a returned value means. */
export type Returned =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'code'; readonly code: number }
  | { readonly kind: 'result'; readonly json: string }
  | { readonly kind: 'problem'; readonly problem: string };

export function meaningOf(value: unknown): Returned {
  if (value === undefined || value === null) return { kind: 'nothing' };
  if (typeof value === 'number' && Number.isInteger(value)) {
    return { kind: 'code', code: value >= 0 && value <= 255 ? value : FAILED };
  }
  try {
    const json = JSON.stringify(value) as string | undefined;
    // JSON.stringify() makes null of what is not finite.
    if (json === undefined || (typeof value === 'number' && !Number.isFinite(value))) {
      return problem(`the result can't be written as JSON: ${inspect(value)}`);
    }
    const bytes = Buffer.byteLength(json);
    if (bytes > MOST_RESULT_BYTES) {
      return problem(`the result is ${bytes} bytes of JSON, of which ${MOST_RESULT_BYTES} are allowed`);
    }
    return { kind: 'result', json };
  } catch (error) {
    return problem(`the result can't be written as JSON: ${(error as Error).message}`);
  }
}

function problem(text: string): Returned {
  return { kind: 'problem', problem: text };
}

/** A line for whoever asks how the run has failed. */
export function errorLine(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : inspect(error);
}

/** The whole story for the log, with causes, as Node prints it. */
export function trace(error: unknown): string {
  return `Uncaught ${inspect(error)}\n`;
}
