import { type ClaimedProcess, isAlive, type ProcessName, signalProcess } from './ending.ts';
import type { Exit } from './run.ts';

const LOOK_MS = 200;
/** How long after a run's process is gone the keeper's word on it may still come. */
const GRACE_MS = 3_000;
/** Statuses of processes that nobody asked for are kept so long, in case somebody is about to. */
const KEEP_MS = 60_000;
const SIGTERM = 15;
const SIGKILL = 9;

/** The end of a process that the keeper has reaped. */
export interface OrphanEnd extends ProcessName {
  readonly id: number;
  readonly exit: Exit;
}

interface Watched {
  readonly name: ClaimedProcess;
  readonly onEnd: (end: Exit | null) => void;
  goneSinceMs: number | null;
  reason: string | null;
  killAtMs: number | null;
}

/**
 * Runs that go on without their zygote. Their processes are nobody's children here: they are watched by pid and start
 * time, signalled through pidfds, and their statuses come from the keeper, which reaps them.
 */
export class Orphans {
  readonly #watched = new Map<string, Watched>();
  readonly #ends = new Map<number, { readonly end: OrphanEnd; readonly atMs: number }>();
  readonly #acknowledge: (id: number) => void;
  #timer: NodeJS.Timeout | null = null;

  /** @param acknowledge tells the keeper that it may forget a status */
  constructor(acknowledge: (id: number) => void) {
    this.#acknowledge = acknowledge;
  }

  /** The keeper has reaped somebody. */
  reaped(end: OrphanEnd): void {
    this.#ends.set(end.id, { end, atMs: Date.now() });
    this.#look();
    this.#tick();
  }

  /**
   * Calls `onEnd` once, when the process has ended: with its status, or with null when nobody knows it.
   * The status stays with the keeper until `settled`.
   */
  watch(key: string, name: ClaimedProcess, onEnd: (exit: Exit | null) => void): void {
    if (this.#watched.has(key)) return;
    this.#watched.set(key, { name, onEnd, goneSinceMs: null, reason: null, killAtMs: null });
    this.#tick();
    this.#look();
  }

  has(key: string): boolean {
    return this.#watched.has(key);
  }

  pids(): number[] {
    return [...this.#watched.values()].map(({ name }) => name.pid);
  }

  signal(key: string, signal: number): boolean {
    const watched = this.#watched.get(key);
    return watched !== undefined && signalProcess(watched.name, signal);
  }

  /** SIGTERM now, SIGKILL after `killAfterMs`; `reason` comes back in the exit. */
  cancel(key: string, killAfterMs: number, reason: string): boolean {
    const watched = this.#watched.get(key);
    if (watched === undefined || !signalProcess(watched.name, SIGTERM)) return false;
    watched.reason ??= reason;
    watched.killAtMs = Math.min(watched.killAtMs ?? Number.POSITIVE_INFINITY, Date.now() + killAfterMs);
    return true;
  }

  /** Nobody will ask any more: the keeper may forget all that it has told. */
  close(): void {
    this.#watched.clear();
    for (const id of this.#ends.keys()) this.#forget(id);
    this.#tick();
  }

  #tick(): void {
    const needed = this.#watched.size > 0 || this.#ends.size > 0;
    if (needed && this.#timer === null) this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
    if (!needed && this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
  }

  #look(): void {
    const nowMs = Date.now();
    for (const [key, watched] of this.#watched) this.#lookAt(key, watched, nowMs);
    for (const [id, { atMs }] of this.#ends) {
      if (nowMs - atMs > KEEP_MS) this.#forget(id);
    }
    this.#tick();
  }

  #lookAt(key: string, watched: Watched, nowMs: number): void {
    const { pid, startTime } = watched.name;
    const found = [...this.#ends.values()].find(({ end }) => end.pid === pid && end.startTime === startTime);
    if (found !== undefined) {
      this.#watched.delete(key);
      watched.onEnd({ ...found.end.exit, reason: watched.reason });
      return;
    }
    if (isAlive(watched.name)) {
      if (watched.killAtMs !== null && nowMs >= watched.killAtMs) signalProcess(watched.name, SIGKILL);
      return;
    }
    watched.goneSinceMs ??= nowMs;
    if (nowMs - watched.goneSinceMs < GRACE_MS) return;
    this.#watched.delete(key);
    watched.onEnd(null);
  }

  /** The outcome of this process is safe: the keeper may forget it. */
  settled(name: ProcessName): void {
    for (const [id, { end }] of this.#ends) {
      if (end.pid === name.pid && end.startTime === name.startTime) this.#forget(id);
    }
  }

  #forget(id: number): void {
    this.#ends.delete(id);
    this.#acknowledge(id);
  }
}
