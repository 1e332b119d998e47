/** The exit codes of `rocksy` itself (docs/cli.md). `run` and `wait` otherwise end with the code of the run. */
export const EXIT = {
  ok: 0,
  error: 1,
  usage: 2,
  /** No daemon answers, or the connection to it was lost for good (EX_UNAVAILABLE of sysexits.h). */
  unreachable: 69,
  /** The run had not ended when the time of `wait --timeout` was over (EX_TEMPFAIL). */
  notYet: 75,
  /** The second Ctrl-C left a run that goes on. */
  left: 130,
} as const;

/** An end that has its own exit code, and words for whoever asked. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;
  readonly hint: string | undefined;

  constructor(message: string, more: { readonly exitCode?: number; readonly hint?: string } = {}) {
    super(message);
    this.exitCode = more.exitCode ?? EXIT.error;
    this.hint = more.hint;
  }
}
