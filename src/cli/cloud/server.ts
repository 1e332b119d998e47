import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from 'commander';
import { subcommand } from '../context.ts';
import { CliError } from '../exit.ts';
import { harmless } from '../terminal.ts';
import { type CloudContext, withCloud } from './context.ts';

interface Options {
  readonly config: string;
  readonly check?: true;
}

/** From the moment in which the new version is found good: it has loaded, and opened the store. */
const PATIENCE_MS = 60_000;
const LOOK_MS = 100;

export function server(): Command {
  const command = subcommand('server', 'Run the cloud: schedules, API, hosts; restart it', [
    'rocksy server --config rocksy.yaml',
    'rocksy server --check',
    'rocksy server restart',
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
  command
    .command('restart')
    .description('replace the server that runs by the code and the configuration as they are now')
    .action(withCloud(restart));
  return command;
}

async function restart({ cloud, terminal, json }: CloudContext): Promise<void> {
  const { started_ms: before } = await cloud.call('status', {});
  await cloud.call('restart', {});
  for (const until = Date.now() + PATIENCE_MS; ; await wait(LOOK_MS)) {
    const status = await cloud.call('status', {});
    if (status.started_ms !== before) {
      if (json) terminal.json(status);
      else terminal.print(`restarted: rocksy ${harmless(status.version)} serves`);
      return;
    }
    if (Date.now() > until)
      throw new CliError('The new version has begun to take over, and does not serve yet', {
        hint: 'The log of the server says how it goes.',
      });
  }
}
