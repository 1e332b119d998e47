import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { commands } from './commands/index.ts';
import { withGlobals } from './context.ts';

/** Two folders up both in a checkout (src/cli) and in the package (dist/cli). */
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  readonly version: string;
};

/** The whole command line. */
export function createProgram(): Command {
  const program = new Command('rocksy')
    .description('Runs scripts through the rocksyd of this machine, warm.')
    .version(`rocksy ${version}`, '-V, --version', 'show the version')
    .enablePositionalOptions()
    .addHelpText(
      'after',
      `
Examples:
  $ rocksy run --follow 'App\\SendMails' '{"batch": 7}'
  $ rocksy ps
  $ rocksy logs -f KEY
  $ rocksy doctor

The daemon is looked for at --socket, else ROCKSY_SOCKET, else /run/rocksy/rocksyd.sock, else ./var/rocksyd.sock.
Exit codes: 0 done, 1 failed, 2 wrong usage, 69 no daemon answers; \`run\` and \`wait\`: the code of the run.`,
    );
  for (const create of commands) {
    const command = create();
    program.addCommand(command, { hidden: command.name().startsWith('__') });
  }
  for (const command of [program, ...program.commands]) {
    withGlobals(command).exitOverride().configureHelp({ helpWidth: 100 });
    command.configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'rocksy: ')) });
    command.showHelpAfterError(`See \`${command === program ? '' : 'rocksy '}${command.name()} --help\`.`);
  }
  return program;
}
