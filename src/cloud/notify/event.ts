/** What the log of events tells of jobs, as far as it matters for alerts. */
export type LogEvent = RunEvent | FireEvent | JobEvent;

/** How a run of a job stands. */
export interface RunEvent {
  readonly kind: 'run';
  readonly key: string;
  readonly jobId: string;
  /** `project/name` */
  readonly job: string;
  /** Who wanted it: `schedule`, `api` … */
  readonly cause: string;
  readonly dueMs: number | null;
  readonly state: 'queued' | 'starting' | 'running' | 'unreachable' | 'ended';
  readonly attempt: number;
  readonly startedMs: number | null;
  readonly endedMs: number | null;
  readonly outcome: string | null;
  readonly code: number | null;
  readonly signal: string | null;
  readonly error: string | null;
}

/** A due instant that did not become a run. */
export interface FireEvent {
  readonly kind: 'fire';
  readonly job: string;
  readonly dueMs: number;
  readonly reason: string;
  readonly detail: string | null;
}

export interface JobEvent {
  readonly kind: 'job';
  readonly job: string;
  readonly change: string;
}

/** Null: it is about something else, or it was written by a release that has other events. */
export function logEventOf(event: unknown): LogEvent | null {
  if (typeof event !== 'object' || event === null) return null;
  const fields = event as Readonly<Record<string, unknown>>;
  // Runs without a job are not alerted of: somebody waits for them.
  if (typeof fields.project !== 'string' || typeof fields.job !== 'string') return null;
  const job = `${fields.project}/${fields.job}`;
  switch (fields.kind) {
    case 'run':
      return runEventOf(fields, job);
    case 'fire':
      return fireEventOf(fields, job);
    case 'job':
      return { kind: 'job', job, change: text(fields.change) ?? '' };
    default:
      return null;
  }
}

function runEventOf(fields: Readonly<Record<string, unknown>>, job: string): RunEvent | null {
  const { key, job_id: jobId, state, attempt } = fields;
  if (typeof key !== 'string' || typeof jobId !== 'string' || !isRunState(state)) return null;
  return {
    ...{ kind: 'run', key, jobId, job, state },
    cause: text(fields.cause) ?? '',
    dueMs: number(fields.due_ms),
    attempt: number(attempt) ?? 1,
    startedMs: number(fields.started_ms),
    endedMs: number(fields.ended_ms),
    outcome: text(fields.outcome),
    code: number(fields.code),
    signal: text(fields.signal),
    error: text(fields.error),
  };
}

function fireEventOf(fields: Readonly<Record<string, unknown>>, job: string): FireEvent | null {
  const [dueMs, reason] = [number(fields.due_ms), text(fields.reason)];
  if (fields.verdict !== 'skipped' || dueMs === null || reason === null) return null;
  return { kind: 'fire', job, dueMs, reason, detail: text(fields.detail) };
}

const RUN_STATES: ReadonlySet<unknown> = new Set(['queued', 'starting', 'running', 'unreachable', 'ended']);

function isRunState(state: unknown): state is RunEvent['state'] {
  return RUN_STATES.has(state);
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function number(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}
