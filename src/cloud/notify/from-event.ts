import type { FireEvent, LogEvent, RunEvent } from './event.ts';
import type { Observation } from './observation.ts';

/** Why a due instant that is not made up for went by. All other reasons are somebody's wish. */
const MISSED: ReadonlySet<string> = new Set(['misfire', 'limit']);

/** What an event says of its job. `atMs`: when it was written. */
export function observationsOf(event: LogEvent, atMs: number): Observation[] {
  switch (event.kind) {
    case 'run':
      return ofRun(event, atMs);
    case 'fire':
      return MISSED.has(event.reason) ? [missed(event)] : [];
    case 'job':
      return event.change === 'removed'
        ? [{ job: event.job, kind: 'removed', cause: '', runKey: null, atMs }]
        : [];
  }
}

function ofRun(event: RunEvent, atMs: number): Observation[] {
  const { job, key: runKey, state, startedMs, endedMs } = event;
  if (state === 'running') return [{ job, kind: 'late_over', cause: '', runKey, atMs: startedMs ?? atMs }];
  if (state !== 'ended') return [];
  const ended = { job, runKey, atMs: endedMs ?? atMs };
  switch (event.outcome) {
    case 'succeeded':
      return [{ ...ended, kind: 'succeeded', cause: '' }];
    // Somebody wanted it to end: that says nothing of whether the job works.
    case 'cancelled':
      return [
        { ...ended, kind: 'late_over', cause: '' },
        { ...ended, kind: 'too_long_over', cause: '' },
      ];
    default:
      return [{ ...ended, kind: 'failed', cause: causeOf(event) }];
  }
}

function causeOf({ error, code, signal, outcome }: RunEvent): string {
  if (error !== null && error.trim() !== '') return error;
  if (signal !== null) return `killed by ${signal}`;
  if (code !== null) return `exit code ${code}`;
  return outcome?.replaceAll('_', ' ') ?? 'ended without an outcome';
}

function missed({ job, dueMs, reason, detail }: FireEvent): Observation {
  return { job, kind: 'missed', cause: detail ?? reason, runKey: null, atMs: dueMs };
}
