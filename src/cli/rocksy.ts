import { ourTerminal } from './context.ts';
import { createProgram } from './program.ts';
import { tell } from './report.ts';

/** Runs the command line and sets `process.exitCode`. Rejects only on a defect. */
export async function main(argv: string[]): Promise<void> {
  try {
    await createProgram().parseAsync(argv, { from: 'user' });
  } catch (error) {
    process.exitCode = tell(error, ourTerminal(), wantsJson(argv));
  }
}

function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end < 0 ? argv : argv.slice(0, end)).includes('--json');
}
