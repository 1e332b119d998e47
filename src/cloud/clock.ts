/** Where time comes from: the machine's, or in tests a hand that turns it. */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Calls once at or after that time; disposed of, never. */
  at(atMs: number, act: () => void): Disposable;
}

/** setTimeout takes no more: https://nodejs.org/api/timers.html */
const LONGEST_MS = 2 ** 31 - 1;

class SystemTimer implements Disposable {
  #timer: NodeJS.Timeout;

  constructor(atMs: number, act: () => void) {
    this.#timer = this.#arm(atMs, act);
  }

  #arm(atMs: number, act: () => void): NodeJS.Timeout {
    const leftMs = Math.max(0, atMs - Date.now());
    // A machine that slept, or whose clock was set, wakes up early or late: looked at again at least once in an hour.
    const stepMs = Math.min(leftMs, 3_600_000, LONGEST_MS);
    return setTimeout(() => {
      if (Date.now() >= atMs) act();
      else this.#timer = this.#arm(atMs, act);
    }, Math.ceil(stepMs));
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  at: (atMs, act) => new SystemTimer(atMs, act),
};
