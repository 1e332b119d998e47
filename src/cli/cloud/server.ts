import type { Command } from 'commander';
import { subcommand } from '../context.ts';

interface Options {
  readonly config: string;
  readonly check?: true;
}

export function server(): Command {
  return subcommand('server', 'Run the cloud: schedules, API, hosts', [
    'rocksy server --config rocksy.yaml',
    'rocksy server --check',
  ])
    .option('-c, --config <file>', 'the configuration', 'rocksy.yaml')
    .option('--check', 'only check the configuration')
    .addHelpText(
      'after',
      '\nSignals: SIGTERM, SIGINT stop; SIGHUP restarts. The reference is docs/server.md.',
    )
    .action(async ({ config, check }: Options) => {
      // All of the cloud: no other command loads it.
      const { checkServerConfig, runServer } = await import('../../cloud/server/index.ts');
      if (check === true) process.stdout.write(`${checkServerConfig(config)}: correct\n`);
      else await runServer(config, ['server', '--config', config]);
    });
}
