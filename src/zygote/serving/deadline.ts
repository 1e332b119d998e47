/** Node fires a longer timer at once: https://nodejs.org/api/timers.html#settimeoutcallback-delay-args */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Cancels; harmless when it has fired. */
export type Cancel = () => void;

const living = new Set<NodeJS.Timeout>();

/** In a process that has come from this one by fork(2): none of them is to fire there. */
export function cancelAll(): void {
  for (const timer of living) clearTimeout(timer);
  living.clear();
}

/** Calls `act` after any number of milliseconds, weeks too. The clock is monotonic. */
export function after(ms: number, act: () => void): Cancel {
  let timer: NodeJS.Timeout;
  const arm = (left: number): void => {
    const now = Math.min(left, LONGEST_TIMER_MS);
    timer = setTimeout(() => {
      living.delete(timer);
      if (left > now) arm(left - now);
      else act();
    }, now);
    living.add(timer);
  };
  arm(ms);
  return () => {
    clearTimeout(timer);
    living.delete(timer);
  };
}
