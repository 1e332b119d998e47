import type { Command } from 'commander';
import { type Context, subcommand, withContext } from '../context.ts';
import { eachKey } from '../each-key.ts';
import { duration } from '../values.ts';

interface Options {
  readonly signal?: string;
  readonly killAfter?: number;
}

export function kill(): Command {
  return subcommand('kill', 'Cancel runs, or send them a signal', [
    'rocksy kill KEY',
    'rocksy kill -s USR1 KEY KEY',
  ])
    .argument('<key...>', 'the runs')
    .option(
      '-s, --signal <signal>',
      'send this signal and nothing more (default: cancel: SIGTERM, then SIGKILL)',
    )
    .option('--kill-after <duration>', 'from SIGTERM to SIGKILL', duration)
    .action(
      withContext((context: Context, keys: string[], { signal, killAfter }: Options) =>
        eachKey(context, keys, async (key) => {
          if (signal !== undefined) await context.client.signal(key, signal);
          else await context.client.cancel(key, killAfter === undefined ? {} : { kill_after_ms: killAfter });
        }),
      ),
    );
}
