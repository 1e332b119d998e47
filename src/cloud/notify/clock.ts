/** The time, and who is called when it has come. */
export interface Clock {
  now(): number;
  /** Calls `fn` once, at `ms` or as soon after it as can be; a time that has passed is at once, but never inside `at`. */
  at(ms: number, fn: () => void): Disposable;
}
