import type { EndedEvent } from '../../contract.ts';

/** How a child came to be. */
export type Birth = 'request' | 'parked';

export interface Failure {
  readonly how: 'hang' | 'crash' | 'wrong result' | 'not run';
  /** In a sentence. */
  readonly why: string;
  /** The end of what it has printed. */
  readonly log: string;
}

/** All that came of one workload. */
export interface Report {
  readonly name: string;
  readonly tried: number;
  readonly failures: readonly Failure[];
  /** From the request to the end, of those that went well. */
  readonly tookMs: { readonly [B in Birth]: readonly number[] };
}

/** How a run ended. */
export type End =
  | {
      readonly kind: 'ended';
      readonly event: EndedEvent;
      /** As the run file has them, or empty. */
      readonly result: string;
      readonly error: string;
      readonly log: string;
    }
  | { readonly kind: 'hung'; readonly limitMs: number; readonly stuck: string; readonly log: string }
  | { readonly kind: 'not run'; readonly why: string };

/** What is wrong about the end of a run that should have had this exit code; null: nothing. */
export function judge(exitCode: number, end: End): Failure | null {
  if (end.kind === 'not run') return { how: 'not run', why: end.why, log: '' };
  const { log } = end;
  if (end.kind === 'hung')
    return { how: 'hang', why: `not ended after ${end.limitMs} ms: ${end.stuck}`, log };
  const { code, signal, claimed, message = '' } = end.event;
  if (!claimed) return { how: 'not run', why: `died before it began: ${message}`, log };
  if (signal !== null) return { how: 'crash', why: `killed by signal ${signal}`, log };
  if (code === exitCode) return null;
  const why = end.error === '' ? `exit code ${code} instead of ${exitCode}` : end.error;
  return { how: 'wrong result', why, log };
}
