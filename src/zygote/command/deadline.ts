/** Node fires a longer timer at once: https://nodejs.org/api/timers.html#settimeoutcallback-delay-args */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Cancels; harmless when it has fired. */
export type Cancel = () => void;

/** Calls `act` after any number of milliseconds, weeks too. The clock is monotonic. */
export function after(ms: number, act: () => void): Cancel {
  let timer: NodeJS.Timeout;
  const arm = (left: number): void => {
    const now = Math.min(left, LONGEST_TIMER_MS);
    timer = setTimeout(() => (left > now ? arm(left - now) : act()), now);
  };
  arm(ms);
  return () => clearTimeout(timer);
}
