// Waiting for what a predecessor still holds. Neither flock(2) nor bind(2) can be waited for without a thread.
import { setTimeout } from 'node:timers/promises';

export interface Patience {
  /** On the clock of performance.now(). */
  readonly deadlineMs: number;
  /** Ends the waiting early: whenFree() then rejects with an AbortError. */
  readonly signal: AbortSignal;
  /** Called once for each thing that is waited for, with what would be thrown at the deadline. */
  readonly onWait: (error: Error) => void;
}

export type Attempt<T> =
  | { readonly free: true; readonly value: T }
  | { readonly free: false; readonly error: Error };

const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 200;

/** Tries until it is free or the deadline has passed; then throws the error of the last attempt. */
export async function whenFree<T>(
  attempt: () => Attempt<T>,
  { deadlineMs, signal, onWait }: Patience,
): Promise<T> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
    signal.throwIfAborted();
    const result = attempt();
    if (result.free) return result.value;
    const leftMs = deadlineMs - performance.now();
    if (leftMs <= 0) throw result.error;
    if (pauseMs === FIRST_PAUSE_MS) onWait(result.error);
    await setTimeout(Math.min(pauseMs, leftMs), undefined, { signal });
  }
}
