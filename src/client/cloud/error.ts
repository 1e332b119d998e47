import type { Problem } from '../../api/index.ts';

/** What the cloud refuses, or why it can't be reached: a stable code, a message for people, perhaps the remedy. */
export class CloudError extends Error {
  override readonly name = 'CloudError';
  /** Of the problem; `unreachable`, `lost`, `protocol` and `bad_address` are our own. */
  readonly code: string;
  /** Of HTTP; 0: there was none. */
  readonly status: number;
  readonly hint: string | undefined;
  readonly problems: Problem['problems'];

  constructor(
    code: string,
    status: number,
    message: string,
    hint?: string,
    more: { readonly problems?: Problem['problems']; readonly cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.status = status;
    this.hint = hint;
    this.problems = more.problems;
  }
}
