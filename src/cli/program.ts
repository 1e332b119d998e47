import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { cloudCommands } from './cloud/index.ts';
import { commands } from './commands/index.ts';
import { withGlobals } from './context.ts';

/** Two folders up both in a checkout (src/cli) and in the package (dist/cli). */
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  readonly version: string;
};

const GROUPS = [
  ['Of this machine and its rocksyd:', commands],
  ['Of the cloud (logs and drain too, with --url or ROCKSY_URL):', cloudCommands],
] as const;

/** The whole command line. */
export function createProgram(): Command {
  const program = new Command('rocksy')
    .description('Runs scripts, warm: on this machine through its rocksyd, on a fleet through the cloud.')
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
The cloud is looked for at --url, else ROCKSY_URL, else /run/rocksy-server/rocksy.sock, else ./var/rocksy.sock, else http://127.0.0.1:31380.
Exit codes: 0 done, 1 failed, 2 wrong usage, 69 no daemon answers; \`run\` and \`wait\`: the code of the run.`,
    );
  for (const [heading, creates] of GROUPS) {
    program.commandsGroup(heading);
    for (const create of creates) {
      const command = create();
      program.addCommand(command, { hidden: command.name().startsWith('__') });
    }
  }
  const inner = program.commands.flatMap((command) => command.commands);
  for (const command of [program, ...program.commands, ...inner]) {
    withGlobals(command).exitOverride().configureHelp({ helpWidth: 100 });
    command.configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'rocksy: ')) });
    command.showHelpAfterError(`See \`${fullName(command)} --help\`.`);
  }
  return program;
}

function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}
