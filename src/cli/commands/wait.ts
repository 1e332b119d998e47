import type { Command } from 'commander';
import type { RunView } from '../../client/index.ts';
import { type Context, subcommand, withContext } from '../context.ts';
import { outcomeLine, styleOf } from '../describe.ts';
import { EXIT } from '../exit.ts';
import { duration } from '../values.ts';

export function wait(): Command {
  return subcommand('wait', 'Wait for the end of runs', [
    'rocksy wait KEY',
    'rocksy wait --timeout 5m KEY KEY',
  ])
    .argument('<key...>', 'the runs')
    .option('-t, --timeout <duration>', `give up after this time, with exit code ${EXIT.notYet}`, duration)
    .addHelpText('after', '\nExit code: that of the first run in the order given which did not end with 0.')
    .action(withContext(act));
}

async function act(
  { client, terminal, json }: Context,
  keys: string[],
  options: { readonly timeout?: number },
): Promise<void> {
  const limit = options.timeout === undefined ? {} : { timeout_ms: options.timeout };
  const ends = keys.map((key) => client.wait(key, limit));
  // The first to fail is told; the others fail for the same reason or are of no interest any more.
  void Promise.allSettled(ends);
  const runs: RunView[] = [];
  for (const end of ends) {
    const run = await end;
    runs.push(run);
    if (!json) terminal.print(terminal.paint(styleOf(run), outcomeLine(run)));
  }
  if (json) terminal.json(keys.length === 1 ? runs[0] : runs);
  process.exitCode = runs.find((run) => run.retcode !== 0)?.retcode ?? EXIT.ok;
}
