/** Every reason for which the store refuses. Stable: a code is never renamed, only added. */
export type StoreErrorCode =
  | 'bad_url'
  | 'unreachable'
  | 'schema_missing'
  | 'schema_older'
  | 'schema_newer'
  | 'migration_failed'
  | 'backup_failed'
  | 'not_empty'
  | 'copy_failed'
  | 'bad_cursor'
  | 'lease_lost'
  | 'join_refused'
  | 'stale_host'
  | 'not_found'
  | 'not_supported';

/** What the store could not do: a message that names the thing and the place, and in `hint` the remedy. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  readonly hint: string | undefined;

  constructor(code: StoreErrorCode, message: string, more: { hint?: string; cause?: unknown } = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.hint = more.hint;
  }
}
