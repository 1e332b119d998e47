/** Every error code of the wire. Stable: a code is never renamed, only added (docs/wire.md lists their meanings). */
export const ERROR_CODES = [
  'invalid_json',
  'invalid_request',
  'hash_not_numeric',
  'unknown_request',
  'not_found',
  'not_running',
  'not_ended',
  'freed',
  'unknown_pool',
  'not_supported',
  'pool_unavailable',
  'bootstrap_failed',
  'takeover_refused',
  'draining',
  'stopping',
  'queue_full',
  'low_disk',
  'state_unwritable',
  'wait_timeout',
  'unauthorized',
  'forbidden',
  'line_too_long',
  'too_many_connections',
  'slow_reader',
  'http',
  'internal',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** An error as a value on its way to whoever asked: a stable code, a message for people, and where there is one, the remedy. */
export class RocksyError extends Error {
  override readonly name = 'RocksyError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  /** What the failed thing printed, for `bootstrap_failed` and `takeover_refused`. */
  readonly output: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    more: { hint?: string; output?: string; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.hint = more.hint;
    this.output = more.output;
  }
}
