import type { OutcomeName } from '../../wire/index.ts';
import type { JobDefinition } from '../jobs/index.ts';
import { type RetryReason, retryDelayMs } from './retry.ts';

export interface Outcome {
  readonly name: OutcomeName;
  readonly code: number | null;
  readonly signal: string | null;
  /** Why, for people. */
  readonly error: string | null;
  /** What it returned, as JSON. */
  readonly result: string | null;
}

/** Each attempt is a run of its own to its host; `attempt` counts from 1. */
export type Phase =
  | {
      readonly state: 'queued';
      readonly attempt: number;
      readonly notBeforeMs: number;
      readonly host: string | null;
    }
  /** It belongs to this host from here on, and may have begun. */
  | { readonly state: 'starting'; readonly attempt: number; readonly host: string }
  | { readonly state: 'running'; readonly attempt: number; readonly host: string; readonly startedMs: number }
  /** Its host is silent. What is true of it will be known when the host is back. */
  | {
      readonly state: 'unreachable';
      readonly attempt: number;
      readonly host: string;
      readonly startedMs: number | null;
    }
  | {
      readonly state: 'ended';
      readonly attempt: number;
      readonly outcome: Outcome;
      readonly host: string | null;
      /** Null: it never began, or nobody knows when. */
      readonly startedMs: number | null;
      readonly endedMs: number;
    };

export type Delivery = Pick<JobDefinition, 'delivery' | 'on_host_loss' | 'retry'>;

export interface CloudRun {
  readonly key: string;
  readonly delivery: Delivery;
  readonly phase: Phase;
  /** How many attempts ended for which reason. */
  readonly made: Readonly<Record<RetryReason, number>>;
  /** Who wants it to end. */
  readonly cancelledBy: string | null;
}

export type Event =
  /** Placement has found a host. */
  | { readonly type: 'placed'; readonly host: string }
  /** The host says how an attempt stands. */
  | { readonly type: 'begun'; readonly attempt: number; readonly startedMs: number }
  | {
      readonly type: 'ended';
      readonly attempt: number;
      readonly outcome: Outcome;
      readonly startedMs: number | null;
      readonly endedMs: number;
    }
  /** The host has never had this attempt, or has lost its memory: it says "unknown", which means never started. */
  | { readonly type: 'unknown'; readonly attempt: number }
  /** The host says that it has not begun it, and why. For good: no other time and no other host would do. */
  | {
      readonly type: 'refused';
      readonly attempt: number;
      readonly error: string;
      readonly forGood: boolean;
      readonly againMs: number;
    }
  | { readonly type: 'host-silent' }
  | { readonly type: 'host-back' }
  /** The host is not waited for any longer. */
  | { readonly type: 'host-lost' }
  | { readonly type: 'cancel'; readonly by: string }
  /** Its host has had the time to end it, and has said nothing. */
  | { readonly type: 'cancel-expired' }
  | { readonly type: 'queue-timeout' };

export type Action =
  /** Ask the host for this attempt. To ask twice starts it once. */
  | { readonly do: 'run'; readonly host: string; readonly attempt: number }
  | { readonly do: 'cancel'; readonly host: string; readonly attempt: number }
  /** The host may forget this attempt: its outcome is committed here. */
  | { readonly do: 'free'; readonly attempt: number };

export interface Step {
  readonly run: CloudRun;
  readonly actions: readonly Action[];
}

/** A run that waits for a host, from `notBeforeMs` on. */
export function queued(key: string, delivery: Delivery, notBeforeMs: number): CloudRun {
  return {
    key,
    delivery,
    phase: { state: 'queued', attempt: 1, notBeforeMs, host: null },
    made: { failure: 0, lost_process: 0, lost_host: 0 },
    cancelledBy: null,
  };
}

/**
 * The next state. What does not concern it (late, doubled, of another attempt) changes nothing.
 * @param nowMs the time of the event; `random` (0 ≤ r < 1) spreads retries
 */
export function step(run: CloudRun, event: Event, nowMs: number, random: number): Step {
  const { phase } = run;
  switch (event.type) {
    case 'placed':
      return phase.state === 'queued' && (phase.host ?? event.host) === event.host
        ? placed(run, phase.attempt, event.host)
        : same(run);
    case 'begun':
      return isOfAttempt(phase, event.attempt)
        ? enter(run, {
            state: 'running',
            attempt: phase.attempt,
            host: phase.host,
            startedMs: event.startedMs,
          })
        : same(run);
    case 'ended':
      // A host that still remembers an attempt of long ago may forget it.
      return isOfAttempt(phase, event.attempt)
        ? attemptEnded(run, phase, event, nowMs, random)
        : { run, actions: [{ do: 'free', attempt: event.attempt }] };
    case 'unknown':
      return isOfAttempt(phase, event.attempt) ? neverStarted(run, phase, nowMs) : same(run);
    case 'refused':
      return isOfAttempt(phase, event.attempt) ? refused(run, phase, event, nowMs) : same(run);
    case 'host-silent':
      return phase.state === 'starting' || phase.state === 'running'
        ? enter(run, {
            state: 'unreachable',
            attempt: phase.attempt,
            host: phase.host,
            startedMs: phase.state === 'running' ? phase.startedMs : null,
          })
        : same(run);
    case 'host-back':
      return phase.state === 'unreachable' ? hostBack(run, phase) : same(run);
    case 'host-lost':
      return phase.state === 'unreachable' ? hostLost(run, phase, nowMs, random) : same(run);
    case 'cancel':
      return cancel(run, phase, event.by, nowMs);
    case 'cancel-expired':
      return run.cancelledBy !== null && phase.state !== 'ended' && phase.state !== 'queued'
        ? over(
            run,
            without(
              'lost',
              `cancelled by ${run.cancelledBy}, and ${phase.host} has not said what became of it`,
            ),
            nowMs,
          )
        : same(run);
    case 'queue-timeout':
      return phase.state === 'queued' && phase.attempt === 1
        ? over(run, without('timed_out', 'it had not begun in time'), nowMs)
        : same(run);
  }
}

type OnHost = Phase & { state: 'starting' | 'running' | 'unreachable' };

function isOfAttempt(phase: Phase, attempt: number): phase is OnHost {
  return phase.state !== 'queued' && phase.state !== 'ended' && phase.attempt === attempt;
}

function placed(run: CloudRun, attempt: number, host: string): Step {
  const next = { ...run, phase: { state: 'starting', attempt, host } } as const;
  return { run: next, actions: [{ do: 'run', host, attempt }] };
}

function attemptEnded(
  run: CloudRun,
  phase: OnHost,
  event: Event & { type: 'ended' },
  nowMs: number,
  random: number,
): Step {
  const freed = { do: 'free', attempt: phase.attempt } as const;
  const reason = retryReasonOf(event.outcome);
  const retried =
    reason === null || run.cancelledBy !== null ? null : retry(run, phase, reason, nowMs, random);
  const next = retried ?? over(run, event.outcome, event.endedMs, event.startedMs);
  return { run: next.run, actions: [freed, ...next.actions] };
}

/** To be killed or to run out of time is a failure as well; who wanted it to end has cancelled it. */
function retryReasonOf({ name }: Outcome): RetryReason | null {
  if (name === 'failed' || name === 'killed' || name === 'timed_out') return 'failure';
  return name === 'lost' ? 'lost_process' : null;
}

/** What may have begun and was lost is tried again only where it may run twice. */
function retry(
  run: CloudRun,
  former: OnHost,
  reason: RetryReason,
  nowMs: number,
  random: number,
): Step | null {
  if (reason !== 'failure' && run.delivery.delivery === 'at-most-once') return null;
  const made = { ...run.made, [reason]: run.made[reason] + 1 };
  const delayMs = retryDelayMs(run.delivery.retry[reason], made[reason], random);
  if (delayMs === null) return null;
  const host = run.delivery.delivery === 'at-most-once' ? former.host : null;
  const phase = { state: 'queued', attempt: former.attempt + 1, notBeforeMs: nowMs + delayMs, host } as const;
  return { run: { ...run, made, phase }, actions: [] };
}

/** It goes back to the queue as the attempt that it was; what runs at most once goes to the same host again. */
function neverStarted(run: CloudRun, phase: OnHost, nowMs: number): Step {
  if (run.cancelledBy !== null) return over(run, cancelled(run.cancelledBy), nowMs);
  // It has been seen running: a host that does not know it has lost its memory, and the run with it.
  if (phase.state === 'running' || (phase.state === 'unreachable' && phase.startedMs !== null))
    return over(run, without('lost', `${phase.host} knows nothing of it any more`), nowMs);
  const host = run.delivery.delivery === 'at-most-once' ? phase.host : null;
  return enter(run, { state: 'queued', attempt: phase.attempt, notBeforeMs: nowMs, host });
}

/** Nothing of it has begun anywhere: it may go to any host. An attempt that follows another one stays where that was. */
function refused(run: CloudRun, phase: OnHost, event: Event & { type: 'refused' }, nowMs: number): Step {
  if (run.cancelledBy !== null) return over(run, cancelled(run.cancelledBy), nowMs);
  if (event.forGood) return over(run, without('failed', event.error), nowMs);
  const host = run.delivery.delivery === 'at-most-once' && phase.attempt > 1 ? phase.host : null;
  return enter(run, { state: 'queued', attempt: phase.attempt, notBeforeMs: event.againMs, host });
}

/** Nobody knows what it missed. To ask again starts nothing that it has. */
function hostBack(run: CloudRun, { attempt, host, startedMs }: Phase & { state: 'unreachable' }): Step {
  const action = { do: run.cancelledBy === null ? 'run' : 'cancel', host, attempt } as const;
  if (startedMs === null)
    return { run: { ...run, phase: { state: 'starting', attempt, host } }, actions: [action] };
  const running = { ...run, phase: { state: 'running', attempt, host, startedMs } } as const;
  return { run: running, actions: run.cancelledBy === null ? [] : [action] };
}

function hostLost(
  run: CloudRun,
  phase: Phase & { state: 'unreachable' },
  nowMs: number,
  random: number,
): Step {
  const lost = without('lost', `its host ${phase.host} was lost`);
  if (run.cancelledBy !== null) return over(run, lost, nowMs);
  switch (run.delivery.on_host_loss) {
    case 'wait':
      return same(run);
    case 'fail':
      return over(run, lost, nowMs);
    case 'rerun':
      return retry(run, phase, 'lost_host', nowMs, random) ?? over(run, lost, nowMs);
  }
}

/** What nobody has begun is over at once; else its host ends it, and tells how it ended. */
function cancel(run: CloudRun, phase: Phase, by: string, nowMs: number): Step {
  if (phase.state === 'ended') return same(run);
  const wanted = { ...run, cancelledBy: run.cancelledBy ?? by };
  if (phase.state === 'queued') return over(wanted, cancelled(by), nowMs);
  const { host, attempt } = phase;
  return { run: wanted, actions: [{ do: 'cancel', host, attempt }] };
}

function cancelled(by: string): Outcome {
  return without('cancelled', `cancelled by ${by}`);
}

/** An outcome without an exit. */
function without(name: OutcomeName, error: string): Outcome {
  return { name, code: null, signal: null, error, result: null };
}

function over(run: CloudRun, outcome: Outcome, endedMs: number, startedMs = startOf(run.phase)): Step {
  const { attempt } = run.phase;
  const host = run.phase.state === 'ended' ? null : run.phase.host;
  return enter(run, { state: 'ended', attempt, outcome, host, startedMs, endedMs });
}

function startOf(phase: Phase): number | null {
  return phase.state === 'running' || phase.state === 'unreachable' ? phase.startedMs : null;
}

function enter(run: CloudRun, phase: Phase): Step {
  return { run: { ...run, phase }, actions: [] };
}

function same(run: CloudRun): Step {
  return { run, actions: [] };
}
