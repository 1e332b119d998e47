const MAX_DETAIL_CHARS = 300;

/** What became of one attempt to deliver. */
export interface Result {
  readonly ok: boolean;
  /** Of HTTP or SMTP; null: there was no answer. */
  readonly status: number | null;
  /** For people: short, on one line, and without secrets. */
  readonly detail: string;
  /** How long the receiver wants to be left alone for. */
  readonly retryAfterMs: number | null;
  /** To try again is of no use. */
  readonly hopeless: boolean;
}

export type ResultParts = Pick<Result, 'ok' | 'status' | 'detail'> &
  Partial<Pick<Result, 'retryAfterMs' | 'hopeless'>>;

/** @param secrets whatever of these the detail contains is not shown */
export function resultOf(parts: ResultParts, secrets: readonly string[]): Result {
  return { retryAfterMs: null, hopeless: false, ...parts, detail: shown(parts.detail, secrets) };
}

function shown(text: string, secrets: readonly string[]): string {
  // The longest first: it may contain others.
  const masked = secrets
    .filter((secret) => secret !== '')
    .sort((a, b) => b.length - a.length)
    .reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a log is no place for them
  const line = masked.replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
  return line.length <= MAX_DETAIL_CHARS ? line : `${line.slice(0, MAX_DETAIL_CHARS - 1)}…`;
}
