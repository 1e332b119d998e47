import { Command, Option } from 'commander';
import { type Client, connect } from '../client/index.ts';
import { Terminal } from './terminal.ts';
import { address, tokenFile } from './values.ts';

interface GlobalOptions {
  readonly socket?: string;
  readonly json?: true;
  readonly tokenFile?: string;
}

/** What a command works with. */
export interface Context extends AsyncDisposable {
  readonly client: Client;
  readonly terminal: Terminal;
  readonly json: boolean;
}

/** A daemon that is replaced or started again is away for seconds; a `run` or `wait` outlasts that. */
const PATIENCE_MS = 60_000;

let terminal: Terminal | undefined;

/** The one of this process, because its streams are. */
export function ourTerminal(): Terminal {
  terminal ??= new Terminal(process.stdout, process.stderr);
  return terminal;
}

/** A command whose help ends with examples. */
export function subcommand(name: string, summary: string, examples: readonly string[]): Command {
  return new Command(name)
    .description(summary)
    .addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}`);
}

/** Adds the options that every command has. */
export function withGlobals(command: Command): Command {
  return command
    .optionsGroup('Global options:')
    .addOption(
      new Option('--socket <address>', 'the daemon: unix:/path or tcp://host:port').argParser(address),
    )
    .option('--url <address>', 'the cloud: http://host:port, https://host or unix:/path')
    .option('--json', 'print JSON: one value, or one a line where output streams')
    .addOption(
      new Option('--token-file <path>', 'file with the token (else ROCKSY_TOKEN)').argParser(tokenFile),
    )
    .helpOption('-h, --help', 'show this help');
}

/** Makes an action of a function that gets its arguments after a context, which is closed when it is done. */
export function withContext<A extends unknown[]>(act: (context: Context, ...args: A) => Promise<void>) {
  return async function action(this: Command, ...args: A): Promise<void> {
    await using context = contextOf(this.optsWithGlobals<GlobalOptions>());
    await act(context, ...args);
  };
}

function contextOf({ socket, json, tokenFile: token }: GlobalOptions): Context {
  const client = connect(socket, { token, patienceMs: PATIENCE_MS });
  return {
    client,
    terminal: ourTerminal(),
    json: json === true,
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}
