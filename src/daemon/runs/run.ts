import type { JsonValue, OutcomeName, Progress, RunFile, RunKey } from '../../wire/index.ts';
import type { StartSpec } from '../../zygote/index.ts';

/** Who has asked for a run: somebody on this host, or the cloud over the host's link. */
export type Origin = 'local' | 'cloud';

/** What a run is from its first moment on, and never changes. */
export interface RunIdentity {
  readonly key: RunKey;
  /** Base name of its files in the pool's `runs` folder. */
  readonly file: RunFile;
  readonly pool: string;
  readonly job: string | null;
  readonly origin: Origin;
  readonly spec: StartSpec;
  /** When it was accepted, milliseconds of the epoch. */
  readonly queuedMs: number;
}

/** What the system counted for a run's main process and the children it waited for. */
export interface Usage {
  readonly cpuUserMs: number;
  readonly cpuSystemMs: number;
  readonly maxRssBytes: number;
}

/** How a run ended. `code` and `signal` are what its main process ended with, when anybody saw it. */
export interface Outcome {
  readonly name: OutcomeName;
  readonly code: number | null;
  readonly signal: number | null;
  readonly error: string | null;
  readonly result: JsonValue;
  readonly endedMs: number;
  readonly usage: Usage | null;
}

export type Phase =
  | { readonly state: 'queued' }
  | { readonly state: 'starting'; readonly generation: number }
  | {
      readonly state: 'running';
      readonly generation: number;
      readonly pid: number;
      readonly startedMs: number;
    }
  | {
      readonly state: 'ended';
      readonly generation: number | null;
      readonly pid: number | null;
      readonly startedMs: number | null;
      readonly outcome: Outcome;
      readonly progress: Progress | null;
    };

export interface Run {
  readonly identity: RunIdentity;
  readonly phase: Phase;
}

/** How the main process of a run ended, as whoever reaped it says. */
export interface Exit {
  readonly code: number | null;
  readonly signal: number | null;
  /** Why somebody made it end: `timeout`, `cancel`, `stop` (the daemon ends), or null. */
  readonly reason: string | null;
  readonly usage: Usage | null;
}

/** What the run said of itself in its run file. */
export interface Report {
  readonly error: string | null;
  readonly result: JsonValue;
  readonly progress: Progress | null;
  /** The code that the runtime wrote as its last act. */
  readonly exit: number | null;
}

export const NO_REPORT: Report = { error: null, result: null, progress: null, exit: null };

export type RunChange =
  | { readonly type: 'sent'; readonly generation: number }
  /** The zygote that had been asked did not start it and never will: it waits again. */
  | { readonly type: 'returned' }
  | { readonly type: 'claimed'; readonly generation: number; readonly pid: number; readonly atMs: number }
  | { readonly type: 'exited'; readonly exit: Exit; readonly report: Report; readonly atMs: number }
  /** It ended without having run. */
  | {
      readonly type: 'abandoned';
      readonly outcome: 'failed' | 'cancelled';
      readonly error: string;
      readonly atMs: number;
    }
  /** It had begun, and nobody is left who could know how it ended. */
  | { readonly type: 'lost'; readonly error: string; readonly report: Report; readonly atMs: number };

/**
 * The next state of a run, or null when the change does not apply to the state it is in (news that came twice or late).
 * queued → starting → running → ended; back from starting to queued; to ended from anywhere; from ended nowhere.
 */
export function change(run: Run, to: RunChange): Run | null {
  const phase = nextPhase(run.phase, to);
  return phase === null ? null : { identity: run.identity, phase };
}

function nextPhase(phase: Phase, to: RunChange): Phase | null {
  if (phase.state === 'ended') return null;
  switch (to.type) {
    case 'sent':
      return phase.state === 'queued' ? { state: 'starting', generation: to.generation } : null;
    case 'returned':
      return phase.state === 'starting' ? { state: 'queued' } : null;
    case 'claimed':
      return phase.state === 'running'
        ? null
        : { state: 'running', generation: to.generation, pid: to.pid, startedMs: to.atMs };
    case 'exited':
      return ended(phase, outcomeOfExit(to.exit, to.report, to.atMs), to.report.progress);
    case 'abandoned':
      return ended(phase, { ...NO_OUTCOME, name: to.outcome, error: to.error, endedMs: to.atMs }, null);
    case 'lost':
      return ended(phase, outcomeOfLoss(to.error, to.report, to.atMs), to.report.progress);
  }
}

const NO_OUTCOME = { code: null, signal: null, result: null, usage: null };

function ended(
  phase: Exclude<Phase, { state: 'ended' }>,
  outcome: Outcome,
  progress: Progress | null,
): Phase {
  return {
    state: 'ended',
    generation: phase.state === 'queued' ? null : phase.generation,
    pid: phase.state === 'running' ? phase.pid : null,
    startedMs: phase.state === 'running' ? phase.startedMs : null,
    outcome,
    progress,
  };
}

function outcomeOfExit(exit: Exit, report: Report, endedMs: number): Outcome {
  const { code, signal, usage } = exit;
  const name = nameOfExit(exit);
  const error = report.error ?? (name === 'timed_out' ? 'The run took longer than its timeout' : null);
  return { name, code, signal, error, result: report.result, endedMs, usage };
}

function nameOfExit(exit: Exit): OutcomeName {
  if (exit.reason === 'timeout') return 'timed_out';
  if (exit.reason === 'cancel') return 'cancelled';
  if (exit.signal !== null) return 'killed';
  return exit.code === 0 ? 'succeeded' : 'failed';
}

/** Nobody reaped it; but where the runtime wrote its exit code as its last act, that is how it ended. */
function outcomeOfLoss(error: string, report: Report, endedMs: number): Outcome {
  if (report.exit !== null) {
    return outcomeOfExit({ code: report.exit, signal: null, reason: null, usage: null }, report, endedMs);
  }
  return { ...NO_OUTCOME, name: 'lost', error: report.error ?? error, result: report.result, endedMs };
}

/** The one number that original clients hear: the exit code; 128 + signal, 124 for a timeout, 255 for lost. */
export function retcode(outcome: Outcome): number {
  if (outcome.name === 'timed_out') return 124;
  if (outcome.name === 'lost') return 255;
  if (outcome.signal !== null) return 128 + outcome.signal;
  if (outcome.code !== null) return outcome.code;
  return outcome.name === 'cancelled' ? 128 + 15 : 255;
}
