import type { ChildEnd } from '../../posix/index.ts';
import type { EndedEvent, RunEvent } from '../contract.ts';
import type { Cancel } from './deadline.ts';
import type { RunStart } from './request.ts';

/** How many children a run is given to before the zygote gives it up: one, and three in its place. */
export const MAX_ATTEMPTS = 4;

/** Where a run stands. It goes from one to the next, and back from `forked` to `waiting` for another child. */
export type RunState =
  /** A child of its own is still to be made. */
  | { readonly at: 'waiting'; readonly attempt: number }
  /** A child has the run and has not claimed it. `late`: it took too long and has been sent SIGKILL. */
  | { readonly at: 'forked'; readonly pid: number; readonly attempt: number; readonly late: boolean }
  | { readonly at: 'claimed'; readonly pid: number }
  /** The main process has been reaped; what it left behind is being killed. */
  | { readonly at: 'ending'; readonly claimed: boolean; readonly end: ChildEnd }
  | { readonly at: 'ended'; readonly event: EndedEvent };

/** A run of this zygote, from `start` to `ack`. */
export interface Run<Start extends RunStart = RunStart> {
  readonly key: string;
  readonly file: string;
  readonly timeoutMs: number | null;
  readonly killAfterMs: number;
  /** What to give to another child; gone with the claim, since it may be large. */
  start: Start | null;
  state: RunState;
  /** How the last child that did not claim it in time has ended. */
  lastEnd: ChildEnd | null;
  /** Why the zygote has ended it: the first reason counts. */
  reason: string | null;
  /** What `ended` has to explain. */
  message: string | null;
  /** Kills a late child, or ends a claimed run at its timeout. */
  alarm: Cancel;
  /** SIGKILL to a run that has got its SIGTERM, and when. */
  killing: { readonly atMs: number; readonly cancel: Cancel } | null;
}

/** The pid that may be signalled: null once the main process has been reaped. */
export function mainPid({ state }: Run): number | null {
  return state.at === 'forked' || state.at === 'claimed' ? state.pid : null;
}

/** What a new session is told of a run; null: there is nothing to tell yet. */
export function latestEvent({ key, state }: Run): RunEvent | null {
  switch (state.at) {
    case 'waiting':
      return null;
    case 'forked':
    case 'claimed':
      return { event: state.at, key, pid: state.pid };
    case 'ending':
      return { event: state.claimed ? 'claimed' : 'forked', key, pid: state.end.pid };
    case 'ended':
      return state.event;
  }
}

export function endedEvent({ key, reason, message }: Run, claimed: boolean, end: ChildEnd): EndedEvent {
  return {
    event: 'ended',
    key,
    pid: end.pid,
    code: end.code,
    signal: end.signal,
    reason,
    claimed,
    ...(message === null ? {} : { message }),
    cpu_user_ms: end.cpuUserMs,
    cpu_system_ms: end.cpuSystemMs,
    max_rss_bytes: end.maxRssBytes,
  };
}

/** Why a child that never claimed has ended. */
export function unclaimedMessage({ message, reason }: Run, end: ChildEnd): string {
  if (message !== null) return message;
  const how = end.signal === null ? `with code ${end.code}` : `of signal ${end.signal}`;
  return reason === null ? `the child ended ${how} before user code` : `${reason} before user code`;
}
