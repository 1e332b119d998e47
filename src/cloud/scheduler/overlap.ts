export interface OverlapPolicy {
  readonly policy: 'allow' | 'skip' | 'queue' | 'replace';
  /** With `queue`: so many wait at most. */
  readonly limit: number;
}

/** What a job has going on when it is due again: keys of its runs, oldest first. */
export interface Ongoing {
  readonly begun: readonly string[];
  /** Not begun: they wait for their turn or for a host. */
  readonly waiting: readonly string[];
}

export type OverlapDecision =
  | { readonly run: true; readonly cancel: readonly string[]; readonly replace: readonly string[] }
  | { readonly run: false; readonly reason: 'overlap' | 'limit' };

/**
 * Whether one more run is made. `cancel`: runs that have begun and are to end for it; `replace`: runs that have not begun
 * and never will. With `queue` it waits until those before it have ended.
 */
export function overlapping({ policy, limit }: OverlapPolicy, { begun, waiting }: Ongoing): OverlapDecision {
  const run: OverlapDecision = { run: true, cancel: [], replace: [] };
  if (policy === 'allow' || begun.length + waiting.length === 0) return run;
  switch (policy) {
    case 'skip':
      return { run: false, reason: 'overlap' };
    case 'queue':
      return waiting.length < limit ? run : { run: false, reason: 'limit' };
    case 'replace':
      return { run: true, cancel: begun, replace: waiting };
  }
}
