import { type Command, Option } from 'commander';
import { cloudOr, logsOfCloud } from '../cloud/index.ts';
import { type Context, subcommand, withContext } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { logLine } from '../log-line.ts';
import { findInLog, readLog, readTail } from '../tail.ts';
import { count, moment, searched } from '../values.ts';

interface Options {
  readonly follow?: true;
  readonly since?: number;
  readonly tail?: number;
  readonly grep?: string;
  readonly ignoreCase?: true;
  readonly attempt?: number;
}

export function logs(): Command {
  return subcommand('logs', 'Print what a run has written', [
    'rocksy logs KEY',
    'rocksy logs -f --tail 20 KEY',
    'rocksy logs --since 10m KEY',
    'rocksy logs -i --grep error KEY',
  ])
    .argument('<key>', 'the run')
    .option('-f, --follow', 'go on until the run ends')
    .addOption(
      new Option('--since <time>', 'from a moment on: 10m ago, or 2026-01-31T12:00:00Z')
        .argParser(moment)
        .conflicts('tail'),
    )
    .option('-n, --tail <lines>', 'only the last lines', count)
    .addOption(
      new Option('--grep <text>', 'only the lines that hold a text, as it stands')
        .argParser(searched)
        .conflicts(['follow', 'since', 'tail']),
    )
    .option('--attempt <number>', 'of the cloud: of this attempt instead of the last one', count)
    .option('-i, --ignore-case', 'with --grep: upper and lower case are the same')
    .action(cloudOr(logsOfCloud, withContext(act)));
}

async function act(context: Context, key: string, options: Options): Promise<void> {
  const { follow, since, tail, grep, ignoreCase, attempt } = options;
  if (attempt !== undefined)
    throw new CliError('--attempt is for runs of the cloud: to the daemon an attempt is a run', {
      exitCode: EXIT.usage,
      hint: 'Say where the cloud is: --url ADDRESS or ROCKSY_URL.',
    });
  if (grep !== undefined) return await find(context, key, grep, ignoreCase === true);
  if (ignoreCase) throw new CliError('-i goes with --grep TEXT', { exitCode: EXIT.usage });
  const { client, terminal, json } = context;
  const print = (chunk: Uint8Array) => terminal.pass(json ? logLine(chunk) : chunk);
  let offset = 0;
  if (tail !== undefined) {
    const last = await readTail(client, key, tail);
    offset = last.next;
    if (last.data.length > 0) await print(last.data);
  }
  if (follow) {
    const from = since === undefined ? { offset } : { since };
    for await (const chunk of client.follow(key, from)) await print(chunk);
  } else if (tail === undefined) {
    for await (const chunk of readLog(client, key, since === undefined ? { offset } : { since }))
      await print(chunk);
  }
}

async function find(
  { client, terminal, json }: Context,
  key: string,
  text: string,
  ignoreCase: boolean,
): Promise<void> {
  for await (const { offset, line } of findInLog(client, key, text, ignoreCase))
    await terminal.pass(`${json ? JSON.stringify({ event: 'match', offset, line }) : line}\n`);
}
