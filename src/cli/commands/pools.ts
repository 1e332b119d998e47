import type { Command } from 'commander';
import type { PoolView } from '../../client/index.ts';
import { type Context, subcommand, withContext } from '../context.ts';
import { generationsOf, problemOf } from '../describe.ts';
import { table } from '../table.ts';
import { harmless, type Style, type Terminal } from '../terminal.ts';

const STYLES: { readonly [S in PoolView['state']]: Style } = {
  starting: 'cyan',
  serving: 'green',
  unavailable: 'red',
  draining: 'yellow',
};

export function pools(): Command {
  return subcommand('pools', 'List the pools', ['rocksy pools', 'rocksy pools --json']).action(
    withContext(async ({ client, terminal, json }: Context) => {
      const all = await client.pools();
      if (json) terminal.json(all);
      else terminal.print(tableOf(all, terminal));
    }),
  );
}

function tableOf(all: readonly PoolView[], terminal: Terminal): string {
  const rows = all.map((pool) => [
    harmless(pool.name),
    harmless(pool.runtime),
    terminal.paint(STYLES[pool.state], pool.state),
    generationsOf(pool),
    `${pool.running}/${pool.max_running}`,
    String(pool.queued),
    problemOf(pool),
  ]);
  return table(['POOL', 'RUNTIME', 'STATE', 'GENERATION', 'RUNNING', 'QUEUED', 'PROBLEM'], rows);
}
