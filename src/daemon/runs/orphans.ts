import { isAlive, type ProcessName, signalProcess } from '../../posix/index.ts';
import type { Exit } from './run.ts';

const LOOK_MS = 200;
/** How long after a run's process is gone the keeper's word on it may still come. */
const GRACE_MS = 3_000;
/** Statuses of processes that nobody asked for are kept so long, in case somebody is about to. */
const KEEP_MS = 60_000;
const SIGTERM = 15;
const SIGKILL = 9;

/** The process that a claim names. The pool's user could have written any pid there: only a process of his counts. */
export interface ClaimedProcess extends ProcessName {
  readonly uid: number;
}

/** The end of a process that the keeper has reaped. */
export interface OrphanEnd extends ProcessName {
  readonly id: number;
  readonly exit: Exit;
}

interface Watched {
  readonly key: string;
  readonly process: ClaimedProcess;
  readonly onEnd: (end: Exit | null) => void;
  goneSinceMs: number | null;
  reason: string | null;
  /** When it is told to end, for its timeout. */
  cancelAtMs: number | null;
  killAfterMs: number;
  killAtMs: number | null;
}

/** An orphan that has been told to end: why, and when it is killed (milliseconds of the epoch). */
export interface EndingOrphan {
  readonly key: string;
  readonly reason: string;
  readonly killAtMs: number;
}

interface Told {
  readonly end: OrphanEnd;
  readonly atMs: number;
  /** `settling`: a run has this status and is writing it down; the keeper must not forget it before that. */
  state: 'unclaimed' | 'settling';
}

/** A map's key for a process. */
const nameText = ({ pid, startTime }: ProcessName): string => `${pid}:${startTime}`;

/**
 * Runs that go on without their zygote. Their processes are nobody's children here: they are watched by pid and start
 * time, signalled through pidfds, and their statuses come from the keeper, which reaps them. Their timeouts, which the
 * zygote kept, are kept here.
 */
export class Orphans {
  readonly #watched = new Map<string, Watched>();
  readonly #watchedByProcess = new Map<string, Watched>();
  readonly #told = new Map<string, Told>();
  /** What a former process has told to end and is not watched here yet. */
  readonly #ending = new Map<string, EndingOrphan>();
  readonly #acknowledge: (id: number) => void;
  #timer: NodeJS.Timeout | null = null;

  /** @param acknowledge tells the keeper that it may forget a status */
  constructor(acknowledge: (id: number) => void) {
    this.#acknowledge = acknowledge;
  }

  /** The keeper has reaped somebody. */
  reaped(end: OrphanEnd): void {
    const name = nameText(end);
    if (!this.#told.has(name)) this.#told.set(name, { end, atMs: Date.now(), state: 'unclaimed' });
    this.#finishSoon(this.#watchedByProcess.get(name));
    this.#tick();
  }

  /**
   * Calls `onEnd` once, never before this returns, when the process has ended: with its status, or with null when nobody
   * knows it. The status stays with the keeper until `settled`.
   */
  watch(key: string, process: ClaimedProcess, onEnd: (exit: Exit | null) => void): void {
    if (this.#watched.has(key)) return;
    const ending = this.#ending.get(key);
    this.#ending.delete(key);
    const watched: Watched = {
      key,
      process,
      onEnd,
      goneSinceMs: null,
      reason: ending?.reason ?? null,
      cancelAtMs: null,
      killAfterMs: 0,
      killAtMs: ending?.killAtMs ?? null,
    };
    this.#watched.set(key, watched);
    this.#watchedByProcess.set(nameText(process), watched);
    this.#finishSoon(watched);
    this.#tick();
  }

  /** Ends the run at this time, as its zygote would have. */
  limit(key: string, cancelAtMs: number, killAfterMs: number): void {
    const watched = this.#watched.get(key);
    if (watched === undefined) return;
    watched.cancelAtMs = cancelAtMs;
    watched.killAfterMs = killAfterMs;
  }

  /** Those that have been told to end, for another process that goes on with them. */
  get ending(): EndingOrphan[] {
    const ending = [...this.#ending.values()];
    for (const { key, reason, killAtMs } of this.#watched.values()) {
      if (reason !== null && killAtMs !== null) ending.push({ key, reason, killAtMs });
    }
    return ending;
  }

  /** What a former process has told to end. */
  goOnFrom(ending: readonly EndingOrphan[]): void {
    for (const each of ending) this.#ending.set(each.key, each);
  }

  pids(): number[] {
    return [...this.#watched.values()].map(({ process }) => process.pid);
  }

  signal(key: string, signal: number): boolean {
    const process = this.#watched.get(key)?.process;
    return process !== undefined && signalProcess(process, signal, process.uid);
  }

  /** SIGTERM now, SIGKILL after `killAfterMs`; `reason` comes back in the exit. */
  cancel(key: string, killAfterMs: number, reason: string): boolean {
    const watched = this.#watched.get(key);
    if (watched === undefined || !signalProcess(watched.process, SIGTERM, watched.process.uid)) return false;
    watched.reason ??= reason;
    watched.killAtMs = Math.min(watched.killAtMs ?? Number.POSITIVE_INFINITY, Date.now() + killAfterMs);
    return true;
  }

  /** The outcome of this process is safe: the keeper may forget it. */
  settled(process: ProcessName): void {
    this.#forget(nameText(process));
  }

  /** Nobody will ask any more: the keeper may forget all that is not still being written down. */
  close(): void {
    this.#ending.clear();
    this.#watched.clear();
    this.#watchedByProcess.clear();
    for (const [name, told] of this.#told) if (told.state === 'unclaimed') this.#forget(name);
    this.#tick();
  }

  #tick(): void {
    const needed = this.#watched.size > 0 || this.#told.size > 0;
    if (needed && this.#timer === null) this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
    if (!needed && this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
  }

  #finishSoon(watched: Watched | undefined): void {
    const told = watched === undefined ? undefined : this.#told.get(nameText(watched.process));
    if (watched === undefined || told === undefined || told.state === 'settling') return;
    told.state = 'settling';
    setImmediate(() => this.#finish(watched, { ...told.end.exit, reason: watched.reason }));
  }

  #finish(watched: Watched, exit: Exit | null): void {
    if (!this.#watched.delete(watched.key)) return;
    this.#watchedByProcess.delete(nameText(watched.process));
    watched.onEnd(exit);
  }

  #look(): void {
    const nowMs = Date.now();
    for (const watched of this.#watched.values()) this.#lookAt(watched, nowMs);
    for (const [name, { atMs, state }] of this.#told) {
      if (state === 'unclaimed' && nowMs - atMs > KEEP_MS) this.#forget(name);
    }
    this.#tick();
  }

  #lookAt(watched: Watched, nowMs: number): void {
    if (this.#told.has(nameText(watched.process))) return;
    if (isAlive(watched.process)) {
      if (watched.killAtMs !== null && nowMs >= watched.killAtMs) {
        signalProcess(watched.process, SIGKILL, watched.process.uid);
      } else if (watched.cancelAtMs !== null && nowMs >= watched.cancelAtMs) {
        watched.cancelAtMs = null;
        this.cancel(watched.key, watched.killAfterMs, 'timeout');
      }
      return;
    }
    watched.goneSinceMs ??= nowMs;
    if (nowMs - watched.goneSinceMs >= GRACE_MS) this.#finish(watched, null);
  }

  #forget(name: string): void {
    const told = this.#told.get(name);
    if (told === undefined) return;
    this.#told.delete(name);
    this.#acknowledge(told.end.id);
  }
}
