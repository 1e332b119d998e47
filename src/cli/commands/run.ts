import type { Command } from 'commander';
import type { PoolView, RunRequest, RunView } from '../../client/index.ts';
import { type Context, subcommand, withContext } from '../context.ts';
import { outcomeLine, styleOf } from '../describe.ts';
import { EXIT } from '../exit.ts';
import { Interrupts } from '../interrupts.ts';
import { logLine } from '../log-line.ts';
import { readStdin } from '../stdin.ts';
import { harmless } from '../terminal.ts';
import { duration, environment, param, positiveDuration } from '../values.ts';

interface Options {
  readonly follow?: true;
  readonly detach?: true;
  readonly stdin?: true;
  readonly pool?: string;
  readonly key?: string;
  readonly job?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeout?: number;
  readonly killAfter?: number;
}

export function run(): Command {
  return subcommand('run', 'Run a class, or a command in a command pool, and end with its exit code', [
    `rocksy run 'App\\SendMails' '{"batch": 7}' --follow`,
    'rocksy run --pool os --timeout 30s -- ls -l /tmp',
    "rocksy run --detach --key report-2026-01-31 'App\\Report' 2026-01-31",
  ])
    .argument('<class>', 'the class; in a command pool the command')
    .argument('[json...]', 'elements of params: JSON, else plain text; in a command pool its arguments')
    .option('-f, --follow', 'print the log while it runs')
    .option('-d, --detach', 'print the key and leave once it is started')
    .option('-p, --pool <pool>', "the pool (default: the daemon's default_pool)")
    .option('-k, --key <key>', 'name of the run; a known one starts nothing again (default: a new UUID)')
    .option('--job <name>', 'name of the job it belongs to')
    .option('-t, --timeout <duration>', 'end it after this time', positiveDuration)
    .option('--kill-after <duration>', 'from SIGTERM to SIGKILL when it has to be ended', duration)
    .option(
      '-e, --env <name=value>',
      'variable of its environment (repeatable; NAME alone: from here)',
      environment,
    )
    .option('-C, --cwd <folder>', 'its working directory, on the host of the daemon')
    .option('-i, --stdin', 'give it our standard input')
    .addHelpText(
      'after',
      `
The first Ctrl-C (or SIGTERM) cancels the run and waits for its end, the second leaves it; when rocksy dies otherwise,
the run goes on. Exit code: the run's (128 + n for signal n, 124 for its timeout, 255 for an exception or a lost run).`,
    )
    .action(withContext(act));
}

async function act(context: Context, what: string, args: string[], options: Options): Promise<void> {
  const { client, terminal, json } = context;
  const { known, run: begun } = await client.run(await requestOf(context, what, args, options));
  const { key } = begun;
  if (known) terminal.note(`${harmless(key)} was there before: nothing was started.`);
  if (options.detach) {
    if (json) terminal.json(begun);
    else terminal.print(harmless(key));
    return;
  }
  using interrupts = new Interrupts({
    first: () => cancel(context, key),
    second: () => terminal.note(`${harmless(key)} goes on: rocksy logs -f ${harmless(key)}`),
  });
  try {
    if (options.follow) await follow(context, key, interrupts.signal);
    const ended = await client.wait(key, { signal: interrupts.signal });
    tellOutcome(context, ended, options.follow === true);
    process.exitCode = ended.retcode ?? EXIT.error;
  } catch (error) {
    if (!interrupts.signal.aborted) throw error;
    process.exitCode = EXIT.left;
  }
}

async function requestOf(
  { client }: Context,
  what: string,
  args: string[],
  options: Options,
): Promise<RunRequest> {
  const { key, pool, job, cwd, env, timeout, killAfter } = options;
  const work = runsCommands(await client.pools(), pool)
    ? { argv: [what, ...args] }
    : { class: what, params: args.map(param) };
  return {
    ...work,
    ...(key === undefined ? {} : { key }),
    ...(pool === undefined ? {} : { pool }),
    ...(job === undefined ? {} : { job }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
    ...(timeout === undefined ? {} : { timeout_ms: timeout }),
    ...(killAfter === undefined ? {} : { kill_after_ms: killAfter }),
    ...(options.stdin ? { stdin: await readStdin() } : {}),
  };
}

/** Which pool is the default one is not told; where all run commands, it does too. */
function runsCommands(pools: readonly PoolView[], name: string | undefined): boolean {
  const candidates = name === undefined ? pools : pools.filter((pool) => pool.name === name);
  return candidates.length > 0 && candidates.every((pool) => pool.runtime === 'command');
}

async function follow({ client, terminal, json }: Context, key: string, signal: AbortSignal): Promise<void> {
  for await (const chunk of client.follow(key, { signal })) {
    await terminal.pass(json ? logLine(chunk) : chunk);
  }
}

function cancel({ client, terminal }: Context, key: string): void {
  terminal.note(`Cancelling ${harmless(key)}. Ctrl-C again leaves it.`);
  client.cancel(key).catch((error: Error) => terminal.note(`It could not be cancelled: ${error.message}`));
}

function tellOutcome({ terminal, json }: Context, run: RunView, followed: boolean): void {
  if (json) terminal.json(followed ? { event: 'exited', run } : run);
  else terminal.note(terminal.paintNote(styleOf(run), outcomeLine(run)));
}
