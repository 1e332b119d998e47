import type { RunView } from '../../wire/index.ts';
import type { Event } from './run.ts';

/** What a host's word on an attempt means for its run; null: it has not begun. */
export function eventOf(view: RunView, attempt: number): Event | null {
  if (view.state === 'ended' && view.outcome !== null) {
    return {
      type: 'ended',
      attempt,
      endedMs: view.ended_ms ?? view.queued_ms,
      startedMs: view.started_ms,
      outcome: {
        name: view.outcome,
        code: view.code,
        signal: view.signal,
        error: view.error,
        result: view.result === null ? null : JSON.stringify(view.result),
      },
    };
  }
  if (view.state === 'running')
    return { type: 'begun', attempt, startedMs: view.started_ms ?? view.queued_ms };
  return null;
}
