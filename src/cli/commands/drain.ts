import type { Command } from 'commander';
import { cloudOr, drainHost, withCloud } from '../cloud/index.ts';
import { type Context, subcommand, withContext } from '../context.ts';
import { harmless } from '../terminal.ts';

interface Options {
  readonly off?: true;
}

export function drain(): Command {
  return subcommand('drain', 'Let a pool, or with --url a host of the cloud, take no new runs', [
    'rocksy drain web',
    'rocksy drain web --off',
    'rocksy drain --url https://rocksy.example.com web-1',
  ])
    .argument('<name>', 'the pool, or the host')
    .option('--off', 'let it take runs again')
    .action(cloudOr(ofHost, ofPool));
}

const ofHost = withCloud((context, host: string, { off }: Options) =>
  drainHost(context, host, off !== true, true),
);

const ofPool = withContext(async ({ client, terminal, json }: Context, pool: string, { off }: Options) => {
  const on = off !== true;
  await client.drain(pool, { on });
  if (json) terminal.json({ pool, draining: on });
  else terminal.print(on ? `${harmless(pool)} takes no new runs` : `${harmless(pool)} takes runs again`);
});
