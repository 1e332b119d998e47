import type { Command } from 'commander';
import { type Context, subcommand, withContext } from '../context.ts';
import { harmless } from '../terminal.ts';

export function drain(): Command {
  return subcommand('drain', 'Let a pool take no new runs', ['rocksy drain web', 'rocksy drain web --off'])
    .argument('<pool>', 'the pool')
    .option('--off', 'let it take runs again')
    .action(
      withContext(
        async ({ client, terminal, json }: Context, pool: string, { off }: { readonly off?: true }) => {
          const on = off !== true;
          await client.drain(pool, { on });
          if (json) terminal.json({ pool, draining: on });
          else
            terminal.print(on ? `${harmless(pool)} takes no new runs` : `${harmless(pool)} takes runs again`);
        },
      ),
    );
}
