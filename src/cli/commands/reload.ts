import type { Command } from 'commander';
import { type Context, subcommand, withContext } from '../context.ts';
import { harmless } from '../terminal.ts';

export function reload(): Command {
  return subcommand('reload', 'Load new code: start new generations, wait until they serve', [
    'rocksy reload',
    'rocksy reload web',
  ])
    .argument('[pool]', 'the pool (default: all)')
    .addHelpText(
      'after',
      '\nWhen a bootstrap fails, the old generation serves on; its output is shown, the exit code is 1.',
    )
    .action(
      withContext(async ({ client, terminal, json }: Context, pool: string | undefined) => {
        const reloaded = await client.reload(pool);
        if (json) terminal.json(reloaded);
        else
          for (const { name, generation } of reloaded)
            terminal.print(`${harmless(name)}: generation ${generation} serves`);
      }),
    );
}
