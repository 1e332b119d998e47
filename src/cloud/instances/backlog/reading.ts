/** What came of one look; the error is for people and has no secret in it. */
export type Reading =
  | { readonly ok: true; readonly backlog: number }
  | { readonly ok: false; readonly error: string };

/** What a look may use. */
export interface Limits {
  readonly timeoutMs: number;
  /** Ends it before its time. */
  readonly signal: AbortSignal;
}

export function failed(error: string): Reading {
  return { ok: false, error };
}

/** A number that is written as people and programs do: 12, 12.0, 1e3. What else is there is not told: who knows what it is. */
export function readingOf(value: unknown, what: string): Reading {
  const text = typeof value === 'string' ? value.trim() : value;
  const backlog =
    typeof text === 'string' && /^[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : text;
  if (typeof backlog !== 'number' || !Number.isFinite(backlog)) return failed(`${what} no number`);
  return backlog < 0 ? failed(`${what} ${backlog}, which is below 0`) : { ok: true, backlog };
}
