import type { Command } from 'commander';
import { type Context, subcommand, withContext } from '../context.ts';
import { eachKey } from '../each-key.ts';

export function free(): Command {
  return subcommand('free', 'Forget ended runs; their keys may not run again for 30 days', [
    'rocksy free KEY KEY',
  ])
    .argument('<key...>', 'the runs')
    .action(
      withContext((context: Context, keys: string[]) =>
        eachKey(context, keys, (key) => context.client.free(key)),
      ),
    );
}
