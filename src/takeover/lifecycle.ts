// What the keeper does about its worker: a pure state machine. keeper.ts carries out what it says.
import { constants } from 'node:os';
import type { KeeperSignal } from './messages.ts';

export interface Backoff {
  /** The second start in a row waits so long (the first none), each further one twice as long … */
  readonly firstMs: number;
  /** … up to this. */
  readonly maxMs: number;
  /** A worker that has been ready for so long had nothing wrong with its start: counting begins anew. */
  readonly resetAfterMs: number;
}

export interface LifecycleLimits {
  readonly backoff: Backoff;
  readonly readyTimeoutMs: number;
  readonly stopTimeoutMs: number;
  /** For a successor to load, and again for the hand-over. */
  readonly takeoverTimeoutMs: number;
}

/** Each state has one timer at most; leaving the state clears it. */
export type State =
  /** The worker was started and has not said ready. Timer: readyTimeoutMs. */
  | { readonly phase: 'starting'; readonly failures: number; readonly pending: readonly KeeperSignal[] }
  | { readonly phase: 'serving'; readonly failures: number; readonly readyAtMs: number }
  /** The worker serves, and a successor was started. Timer: takeoverTimeoutMs. */
  | {
      readonly phase: 'taking-over';
      readonly failures: number;
      readonly readyAtMs: number;
      /**
       * loading: the successor has not said prepared. handing-over: the two are with each other, and the worker may be
       * gone, all done, at any moment. refused: the worker serves on, the successor is being killed.
       */
      readonly stage: 'loading' | 'handing-over' | 'refused';
      /** Why it is refused. */
      readonly reason: string | null;
      readonly pending: readonly KeeperSignal[];
    }
  /** No worker. Timer: until the next start. */
  | { readonly phase: 'backing-off'; readonly failures: number; readonly pending: readonly KeeperSignal[] }
  /** The worker is to end, and the keeper with it. Timer: stopTimeoutMs. */
  | { readonly phase: 'stopping' }
  /** The worker was killed because of a second stop signal. */
  | { readonly phase: 'killing'; readonly exitCode: number }
  | { readonly phase: 'ended'; readonly exitCode: number };

export type WorkerEnd =
  | { readonly how: 'exited'; readonly code: number }
  | { readonly how: 'killed'; readonly signal: NodeJS.Signals }
  | { readonly how: 'not-started'; readonly reason: string };

export type Event =
  | { readonly type: 'ready'; readonly atMs: number }
  | { readonly type: 'stopping' }
  /** The worker spoke another version of the channel. */
  | { readonly type: 'refused' }
  | { readonly type: 'signal'; readonly signal: KeeperSignal }
  | { readonly type: 'gone'; readonly end: WorkerEnd; readonly atMs: number }
  /** The worker wants to be replaced. */
  | { readonly type: 'takeover' }
  /** The successor has loaded. */
  | { readonly type: 'prepared' }
  /** The worker could not hand over, and serves on. Null: because the successor has died. */
  | { readonly type: 'thawed'; readonly reason: string | null }
  /** The successor serves; the worker has left or is about to. */
  | { readonly type: 'succeeded'; readonly atMs: number }
  /** The successor spoke another version of the channel. */
  | { readonly type: 'successor-refused' }
  | { readonly type: 'successor-gone'; readonly end: WorkerEnd }
  | { readonly type: 'timer' };

export type Action =
  | { readonly do: 'start' }
  | { readonly do: 'welcome' } // send what waited for ready, orphans first
  | { readonly do: 'forward'; readonly signal: KeeperSignal }
  | { readonly do: 'kill'; readonly why: string }
  | { readonly do: 'start-successor' }
  | { readonly do: 'introduce' } // worker and successor to each other
  | { readonly do: 'kill-successor' }
  | { readonly do: 'promote' } // the successor is the worker now
  | { readonly do: 'leave-alone' } // tell the one that was promoted that its predecessor is dead
  | { readonly do: 'refuse'; readonly reason: string }
  | { readonly do: 'arm'; readonly ms: number }
  | { readonly do: 'report'; readonly end: WorkerEnd; readonly restartInMs: number | null };

export interface Step {
  readonly state: State;
  readonly actions: readonly Action[];
}

/** The first step of a keeper that has its lock and its sockets. */
export function begin(limits: LifecycleLimits): Step {
  return starting(0, [], limits);
}

export function next(state: State, event: Event, limits: LifecycleLimits): Step {
  switch (event.type) {
    case 'ready':
      return state.phase === 'starting' ? ready(state, event.atMs, limits) : same(state);
    case 'stopping':
      return stoppingByItself(state, limits);
    case 'takeover':
      return state.phase === 'serving' ? takingOver(state, limits) : same(state);
    case 'prepared':
      return prepared(state, limits);
    case 'thawed':
      return refusing(state, event.reason);
    case 'succeeded':
      return state.phase === 'taking-over' ? succeeded(state, event.atMs, limits) : same(state);
    case 'successor-refused':
      return refusing(state, 'the new version speaks another version of the channel to the keeper');
    case 'successor-gone':
      return state.phase === 'taking-over' ? successorGone(state, event.end, limits) : same(state);
    case 'refused':
      return { state, actions: [{ do: 'kill', why: 'it speaks another version of the channel' }] };
    case 'signal':
      return signalled(state, event.signal, limits);
    case 'gone':
      return gone(state, event.end, event.atMs, limits);
    case 'timer':
      return timedOut(state, limits);
  }
}

/** `failures` workers in a row have died: how long until the next one starts. */
export function restartDelayMs(failures: number, { firstMs, maxMs }: Backoff): number {
  return failures <= 1 ? 0 : Math.min(maxMs, firstMs * 2 ** (failures - 2));
}

function starting(failures: number, pending: readonly KeeperSignal[], limits: LifecycleLimits): Step {
  return {
    state: { phase: 'starting', failures, pending },
    actions: [{ do: 'start' }, { do: 'arm', ms: limits.readyTimeoutMs }],
  };
}

function ready(state: State & { phase: 'starting' }, atMs: number, limits: LifecycleLimits): Step {
  const welcome: Action[] = [
    { do: 'welcome' },
    ...state.pending.map((signal) => ({ do: 'forward', signal }) as const),
  ];
  if (state.pending.some(isStop)) {
    return { state: { phase: 'stopping' }, actions: [...welcome, { do: 'arm', ms: limits.stopTimeoutMs }] };
  }
  return { state: { phase: 'serving', failures: state.failures, readyAtMs: atMs }, actions: welcome };
}

const LAST_WORDS_MS = 2_000;

type TakingOver = State & { phase: 'taking-over' };

function takingOver(state: State & { phase: 'serving' }, limits: LifecycleLimits): Step {
  return {
    state: { ...state, phase: 'taking-over', stage: 'loading', reason: null, pending: [] },
    actions: [{ do: 'start-successor' }, { do: 'arm', ms: limits.takeoverTimeoutMs }],
  };
}

function prepared(state: State, limits: LifecycleLimits): Step {
  if (state.phase !== 'taking-over' || state.stage !== 'loading') return same(state);
  return {
    state: { ...state, stage: 'handing-over' },
    // The worker keeps to the same time. Ours is for one that does not even notice that it is over.
    actions: [{ do: 'introduce' }, { do: 'arm', ms: 2 * limits.takeoverTimeoutMs + 5_000 }],
  };
}

/** The worker serves on. It hears of that when the successor has ended, and with it what that has printed. */
function refusing(state: State, reason: string | null): Step {
  if (state.phase !== 'taking-over') return same(state);
  const refused = { ...state, stage: 'refused', reason: state.reason ?? reason } as const;
  // One that dies by itself has a moment to say why.
  const action =
    reason === null ? ({ do: 'arm', ms: LAST_WORDS_MS } as const) : ({ do: 'kill-successor' } as const);
  return { state: refused, actions: [action] };
}

function succeeded(state: TakingOver, atMs: number, limits: LifecycleLimits): Step {
  const { failures, pending } = state;
  const { state: next, actions } = ready({ phase: 'starting', failures, pending }, atMs, limits);
  return { state: next, actions: [{ do: 'promote' }, ...actions] };
}

function successorGone(state: TakingOver, end: WorkerEnd, limits: LifecycleLimits): Step {
  const { failures, readyAtMs, pending } = state;
  const refuse = { do: 'refuse', reason: state.reason ?? `the new version ${described(end)}` } as const;
  const forwards = pending.map((signal) => ({ do: 'forward', signal }) as const);
  if (pending.some(isStop)) {
    const arm = { do: 'arm', ms: limits.stopTimeoutMs } as const;
    return { state: { phase: 'stopping' }, actions: [refuse, ...forwards, arm] };
  }
  return { state: { phase: 'serving', failures, readyAtMs }, actions: [refuse, ...forwards] };
}

function described(end: WorkerEnd): string {
  switch (end.how) {
    case 'exited':
      return `ended with code ${end.code} before it had taken over`;
    case 'killed':
      return `was killed by ${end.signal} before it had taken over`;
    case 'not-started':
      return `could not be started: ${end.reason}`;
  }
}

/** The worker is gone, and its successor is on the way: that goes on by itself, with what it has got. */
function inherited(state: TakingOver, end: WorkerEnd, limits: LifecycleLimits): Step {
  const handedOver = state.stage === 'handing-over' && end.how === 'exited' && end.code === 0;
  const report: readonly Action[] = handedOver ? [] : [{ do: 'report', end, restartInMs: 0 }];
  return {
    state: {
      phase: 'starting',
      failures: handedOver ? state.failures : state.failures + 1,
      pending: state.pending,
    },
    actions: [...report, { do: 'promote' }, { do: 'leave-alone' }, { do: 'arm', ms: limits.readyTimeoutMs }],
  };
}

function withoutSuccessor({ state, actions }: Step): Step {
  return { state, actions: [{ do: 'kill-successor' }, ...actions] };
}

function stoppingByItself(state: State, limits: LifecycleLimits): Step {
  const arm = { do: 'arm', ms: limits.stopTimeoutMs } as const;
  switch (state.phase) {
    case 'starting':
    case 'serving':
      return { state: { phase: 'stopping' }, actions: [arm] };
    case 'taking-over':
      return withoutSuccessor({ state: { phase: 'stopping' }, actions: [arm] });
    default:
      return same(state);
  }
}

function signalledInTakeover(state: TakingOver, signal: KeeperSignal, limits: LifecycleLimits): Step {
  if (isStop(signal) && state.pending.some(isStop)) {
    return withoutSuccessor(killing(signal));
  }
  if (isStop(signal) && state.stage === 'loading') {
    const forward = { do: 'forward', signal } as const;
    const arm = { do: 'arm', ms: limits.stopTimeoutMs } as const;
    return withoutSuccessor({ state: { phase: 'stopping' }, actions: [forward, arm] });
  }
  // Which of the two serves in a moment is not known yet.
  return { state: { ...state, pending: withSignal(state.pending, signal) }, actions: [] };
}

function signalled(state: State, signal: KeeperSignal, limits: LifecycleLimits): Step {
  switch (state.phase) {
    case 'starting':
      if (isStop(signal) && state.pending.some(isStop)) return killing(signal);
      return { state: { ...state, pending: withSignal(state.pending, signal) }, actions: [] };
    case 'serving': {
      const forward = { do: 'forward', signal } as const;
      if (!isStop(signal)) return { state, actions: [forward] };
      return { state: { phase: 'stopping' }, actions: [forward, { do: 'arm', ms: limits.stopTimeoutMs }] };
    }
    case 'taking-over':
      return signalledInTakeover(state, signal, limits);
    case 'backing-off':
      if (isStop(signal)) return { state: { phase: 'ended', exitCode: 0 }, actions: [] };
      return { state: { ...state, pending: withSignal(state.pending, signal) }, actions: [] };
    case 'stopping':
      return isStop(signal) ? killing(signal) : same(state);
    case 'killing':
    case 'ended':
      return same(state);
  }
}

/** Somebody is in a hurry: the code says by which signal, as a shell would (128 + number). */
function killing(signal: KeeperSignal): Step {
  return {
    state: { phase: 'killing', exitCode: 128 + constants.signals[signal] },
    actions: [{ do: 'kill', why: `a second stop signal (${signal}) came` }],
  };
}

function gone(state: State, end: WorkerEnd, atMs: number, limits: LifecycleLimits): Step {
  const over = (exitCode: number): Step => ({
    state: { phase: 'ended', exitCode },
    actions: [{ do: 'report', end, restartInMs: null }],
  });
  switch (state.phase) {
    case 'starting':
      // It had not begun to serve, so nothing is left to stop.
      if (state.pending.some(isStop)) return over(0);
      return again(state.failures + 1, state.pending, end, limits);
    case 'serving': {
      const lasted = atMs - state.readyAtMs >= limits.backoff.resetAfterMs;
      return again(lasted ? 1 : state.failures + 1, [], end, limits);
    }
    case 'taking-over':
      if (state.stage !== 'refused') return inherited(state, end, limits);
      return withoutSuccessor(
        state.pending.some(isStop) ? over(0) : again(state.failures + 1, state.pending, end, limits),
      );
    case 'stopping':
      return over(exitCodeOf(end));
    case 'killing':
      return over(state.exitCode);
    case 'backing-off':
    case 'ended':
      return same(state);
  }
}

function again(
  failures: number,
  pending: readonly KeeperSignal[],
  end: WorkerEnd,
  limits: LifecycleLimits,
): Step {
  const restartInMs = restartDelayMs(failures, limits.backoff);
  const report = { do: 'report', end, restartInMs } as const;
  // A wait of 0 is a wait too: a start that fails at once must not recurse.
  return {
    state: { phase: 'backing-off', failures, pending },
    actions: [report, { do: 'arm', ms: restartInMs }],
  };
}

function timedOut(state: State, limits: LifecycleLimits): Step {
  switch (state.phase) {
    case 'starting':
      return { state, actions: [{ do: 'kill', why: `it was not ready within ${limits.readyTimeoutMs} ms` }] };
    case 'taking-over':
      return refusing(
        state,
        state.stage === 'loading'
          ? `the new version was not prepared within ${limits.takeoverTimeoutMs} ms`
          : 'the hand-over did not end, or the new version while it died',
      );
    case 'stopping':
      return {
        state,
        actions: [{ do: 'kill', why: `it had not stopped within ${limits.stopTimeoutMs} ms` }],
      };
    case 'backing-off':
      return starting(state.failures, state.pending, limits);
    case 'serving':
    case 'killing':
    case 'ended':
      return same(state);
  }
}

function exitCodeOf(end: WorkerEnd): number {
  switch (end.how) {
    case 'exited':
      return end.code;
    case 'killed':
      return 128 + constants.signals[end.signal];
    case 'not-started':
      return 1;
  }
}

/** Like the kernel's pending signals, one of each kind: signal(7). */
function withSignal(pending: readonly KeeperSignal[], signal: KeeperSignal): readonly KeeperSignal[] {
  return pending.includes(signal) ? pending : [...pending, signal];
}

function isStop(signal: KeeperSignal): boolean {
  return signal === 'SIGTERM' || signal === 'SIGINT';
}

function same(state: State): Step {
  return { state, actions: [] };
}
