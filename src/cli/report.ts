import { CommanderError } from 'commander';
import { CloudError, ConnectionError, RocksyError } from '../client/index.ts';
import { DocumentError } from '../document/index.ts';
import { CliError, EXIT } from './exit.ts';
import type { Terminal } from './terminal.ts';

interface Report {
  readonly exitCode: number;
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly output?: string | undefined;
}

/** Tells an error on stderr, as text or as one JSON value, and returns the exit code. Throws what is a defect. */
export function tell(error: unknown, terminal: Terminal, json: boolean): number {
  // Commander has told it already, help and version included.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const { exitCode, ...report } = reportOf(error);
  if (json) terminal.note(JSON.stringify({ error: report }));
  else {
    if (report.output !== undefined && report.output !== '') terminal.note(report.output.trimEnd());
    terminal.note(`${terminal.paintNote('red', 'rocksy:')} ${report.message}`);
    if (report.hint !== undefined) terminal.note(report.hint);
  }
  return exitCode;
}

function reportOf(error: unknown): Report {
  if (error instanceof CliError) {
    return { exitCode: error.exitCode, code: 'error', message: error.message, hint: error.hint };
  }
  if (error instanceof RocksyError) {
    const { code, hint, output } = error;
    const exitCode = code === 'wait_timeout' ? EXIT.notYet : EXIT.error;
    return { exitCode, code, message: error.message, hint: hint ?? HINTS[code], output };
  }
  if (error instanceof CloudError) {
    const { code, message, hint, status, problems = [] } = error;
    const exitCode = status === 0 && code === 'unreachable' ? EXIT.unreachable : EXIT.error;
    const lines = problems.map(({ file, line, key, message: what, hint: remedy }) =>
      [line === 0 ? file : `${file}:${line}`, key, remedy === undefined ? what : `${what} (${remedy})`]
        .filter((part) => part !== '')
        .join(': '),
    );
    return {
      exitCode,
      code,
      // The first one is the message, which the lines have already.
      message:
        lines.length === 0
          ? message
          : `${lines.length === 1 ? 'This is' : `These ${lines.length} are`} to be mended first: nothing has been done`,
      hint: hint ?? CLOUD_HINTS[code],
      output: lines.join('\n'),
    };
  }
  if (error instanceof DocumentError)
    return { exitCode: EXIT.usage, code: 'invalid_configuration', message: error.format() };
  if (error instanceof ConnectionError) {
    const exitCode = error.reason === 'protocol' ? EXIT.error : EXIT.unreachable;
    return { exitCode, code: error.reason, message: error.message, hint: HINTS[error.reason] };
  }
  throw error;
}

const CLOUD_HINTS: { readonly [code: string]: string } = {
  unreachable:
    'Start one with `rocksy up` or `rocksy server`, or say where it is: --url ADDRESS or ROCKSY_URL.',
  unauthorized: 'Give a token: --token-file PATH or ROCKSY_TOKEN.',
  not_found:
    'A job is named PROJECT/NAME, and `rocksy jobs` lists them; `rocksy runs` lists runs, `rocksy hosts` hosts.',
};

const HINTS: { readonly [code: string]: string } = {
  unreachable:
    'Start one with `rocksyd --config rocksyd.yaml`, or say where it is: --socket ADDRESS or ROCKSY_SOCKET.',
  lost: 'Look with `rocksy ps -a` whether it was done.',
  protocol: 'Is the address that of a rocksyd? See --socket and ROCKSY_SOCKET.',
  unauthorized: 'Give a token: --token-file PATH or ROCKSY_TOKEN.',
  forbidden: 'The token or user has a role that does not allow this (docs/wire.md, Roles).',
  not_found:
    '`rocksy ps -a` lists the runs. Those of the cloud are asked for with --url ADDRESS or ROCKSY_URL.',
  wait_timeout: 'It goes on; wait again, or look with `rocksy status KEY`.',
};
