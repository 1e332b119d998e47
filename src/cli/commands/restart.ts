import type { Command } from 'commander';
import { type Context, subcommand, withContext } from '../context.ts';
import { harmless } from '../terminal.ts';

export function restart(): Command {
  return subcommand(
    'restart',
    "Replace the daemon's code and configuration without losing a connection or a run",
    ['rocksy restart', 'rocksy restart --reload'],
  )
    .option('--reload', 'then load the code of all pools anew, as reload does')
    .addHelpText(
      'after',
      '\nWhen the new version or the new configuration is no good, nothing changes; what it printed is shown, the exit code is 1.',
    )
    .action(
      withContext(async ({ client, terminal, json }: Context, { reload }: { reload?: true }) => {
        const restarted = await client.restart({ reload: reload === true });
        if (json) {
          terminal.json(restarted);
          return;
        }
        const { takeover, pools } = restarted;
        terminal.print(
          takeover === null
            ? 'restarted; the old version died before it had handed over its connections'
            : `restarted: ${takeover.connections} connections went over, nobody waited longer than ${takeover.stall_ms} ms`,
        );
        for (const { name, generation } of pools)
          terminal.print(`${harmless(name)}: generation ${generation} serves`);
      }),
    );
}
