// What a service manager is told of the keeper's steps, and whether the watchdog may be fed: pure. sd_notify(3).
import type { Action, State, Step, WorkerEnd } from './lifecycle.ts';

/** Lines of a message of sd_notify(3), such as `READY=1`. */
export type Fields = readonly string[];

export interface Facts {
  readonly keeperPid: number;
  /** Of the worker, after the step. */
  readonly workerPid: number | null;
  /** The last of what a successor that was refused has printed. */
  readonly output: string;
  /** CLOCK_MONOTONIC in microseconds. */
  readonly monotonicUs: bigint;
}

/** The message for a step of the keeper's; empty: there is nothing to say. */
export function announcement(before: State, { state, actions }: Step, facts: Facts): Fields {
  switch (state.phase) {
    case 'starting':
      return actions.some((action) => action.do === 'start')
        ? [status(state.failures === 0 ? 'starting' : `starting, after ${times(state.failures)}`)]
        : [];
    case 'serving':
      if (before.phase === 'serving') return [];
      return ['READY=1', `MAINPID=${facts.keeperPid}`, status(serving(actions, facts))];
    case 'taking-over':
      if (before.phase === 'taking-over') return [];
      return [
        'RELOADING=1',
        `MONOTONIC_USEC=${facts.monotonicUs}`,
        status(`serving, worker pid ${facts.workerPid}; a new version is being started`),
      ];
    case 'backing-off':
      return before.phase === 'backing-off' ? [] : [status(waiting(actions))];
    case 'stopping':
      return before.phase === 'stopping' ? [] : ['STOPPING=1', status('stopping')];
    case 'killing':
      return before.phase === 'killing'
        ? []
        : ['STOPPING=1', status('stopping at once: a second signal came')];
    case 'ended':
      return ['STOPPING=1', status(`ended with exit code ${state.exitCode}`)];
  }
}

function serving(actions: readonly Action[], { workerPid, output }: Facts): string {
  const refused = actions.find((action) => action.do === 'refuse');
  const now = `serving, worker pid ${workerPid}`;
  if (refused === undefined) return now;
  const first = output.split('\n').find((line) => line.trim() !== '');
  return `${now}; takeover refused: ${refused.reason}${first === undefined ? '' : ` (${first})`}`;
}

function waiting(actions: readonly Action[]): string {
  const report = actions.find((action) => action.do === 'report');
  const ms = report?.restartInMs ?? 0;
  const again = ms === 0 ? 'it is started again' : `it is started again in ${ms} ms`;
  return report === undefined ? again : `the worker ${described(report.end)}; ${again}`;
}

function described(end: WorkerEnd): string {
  switch (end.how) {
    case 'exited':
      return `ended with code ${end.code}`;
    case 'killed':
      return `was killed by ${end.signal}`;
    case 'not-started':
      return `could not be started: ${end.reason}`;
  }
}

function times(failures: number): string {
  return failures === 1 ? 'the worker died' : `the worker died ${failures} times in a row`;
}

/** A line that `systemctl status` shows; a manager takes one line, and no other control characters. */
export function status(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\s]+/gu, ' ').trim();
  return `STATUS=${line.length > 300 ? `${line.slice(0, 299)}…` : line}`;
}

/**
 * May the watchdog be fed? In every phase but `serving` the keeper has a timer of its own that ends it: restarts, stops
 * and takeovers are under way, and a service manager's restart would do no better. A keeper that serves has a worker
 * that runs: one that is dead unnoticed, or was stopped by SIGSTOP, serves nobody. `workerState` is that of proc(5);
 * null: there is no such process. A worker under a debugger (`t`) is somebody's wish.
 */
export function isSound(state: State, workerState: string | null): boolean {
  if (state.phase !== 'serving') return state.phase !== 'ended';
  return workerState !== null && !['Z', 'X', 'T'].includes(workerState);
}
