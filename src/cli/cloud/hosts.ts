import type { Command } from 'commander';
import type { Host } from '../../api/index.ts';
import { subcommand } from '../context.ts';
import { table } from '../table.ts';
import { harmless, type Terminal } from '../terminal.ts';
import { duration } from '../values.ts';
import { type CloudContext, withCloud } from './context.ts';
import { ago, localTime } from './describe.ts';

export function hosts(): Command {
  const command = subcommand('hosts', 'List hosts and their load; invite, drain, remove', [
    'rocksy hosts',
    'rocksy hosts invite > join-token',
    'rocksy hosts drain web-1',
    'rocksy hosts remove web-1',
  ]).action(withCloud(list));
  command
    .command('invite')
    .description('make a token by which one host can join, once')
    .option('--for <duration>', 'it can be used for so long (default: a day)', duration)
    .action(
      withCloud(async ({ cloud, terminal, json }, options: { readonly for?: number }) => {
        const body = options.for === undefined ? {} : { expires_in_ms: options.for };
        const answer = await cloud.call('inviteHost', { body });
        if (json) terminal.json(answer);
        else {
          terminal.print(answer.token);
          terminal.note(
            `For the file join.token_file of one rocksyd, until ${localTime(answer.expires_ms)}.`,
          );
        }
      }),
    );
  command
    .command('drain <host>')
    .description('give it no new runs, and wait until it has none left')
    .option('--off', 'let it take runs again')
    .option('--no-wait', 'do not wait')
    .action(
      withCloud(
        async (context, host: string, { off, wait }: { readonly off?: true; readonly wait: boolean }) => {
          await drain(context, host, off !== true, wait);
        },
      ),
    );
  command
    .command('remove <host>')
    .description('forget it: it has to join anew')
    .action(
      withCloud(async ({ cloud, terminal, json }, host: string) => {
        const answer = await cloud.call('removeHost', { params: { host } });
        if (json) terminal.json(answer);
        else terminal.print(`${harmless(host)} is forgotten`);
      }),
    );
  return command;
}

async function list({ cloud, terminal, json }: CloudContext): Promise<void> {
  const { items } = await cloud.call('listHosts', {});
  if (json) terminal.json(items);
  else terminal.print(hostTable(items, terminal));
}

export function hostTable(items: readonly Host[], terminal: Terminal): string {
  const now = Date.now();
  const rows = items.map((host) => [
    harmless(host.name),
    contactOf(host, terminal),
    `${host.load}/${host.capacity}`,
    String(host.running),
    harmless(host.pools.join(' ')),
    harmless(
      Object.entries(host.labels)
        .map(([label, value]) => `${label}=${value}`)
        .join(' '),
    ),
    ago(host.last_seen_ms, now),
  ]);
  return table(['HOST', 'STATE', 'LOAD', 'RUNS', 'POOLS', 'LABELS', 'CONNECTED'], rows);
}

function contactOf({ contact, cordoned, draining }: Host, terminal: Terminal): string {
  const marks = [draining ? 'draining' : '', cordoned ? 'cordoned' : ''].filter((mark) => mark !== '');
  const style = contact !== 'connected' ? 'red' : marks.length > 0 ? 'yellow' : 'green';
  return terminal.paint(style, [contact, ...marks].join(', '));
}

export async function drain(
  { cloud, terminal, json }: CloudContext,
  host: string,
  on: boolean,
  waits: boolean,
): Promise<void> {
  let is = await cloud.call('drainHost', { params: { host }, body: { on } });
  if (on && waits && !json && is.running > 0) terminal.note(`waiting for ${is.running} runs`);
  while (on && waits && is.running > 0) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { items } = await cloud.call('listHosts', {});
    is = items.find(({ id }) => id === is.id) ?? { ...is, running: 0 };
  }
  if (json) terminal.json(is);
  else
    terminal.print(
      on
        ? `${harmless(host)} takes no new runs${is.running === 0 ? ', and has none left' : ''}`
        : `${harmless(host)} takes runs again`,
    );
}

export function cordon(): Command {
  return subcommand('cordon', 'Give a host no new runs; those that it has go on', [
    'rocksy cordon web-1',
    'rocksy cordon web-1 --off',
  ])
    .argument('<host>', 'its name')
    .option('--off', 'let it take runs again')
    .action(
      withCloud(async ({ cloud, terminal, json }, host: string, { off }: { readonly off?: true }) => {
        const is = await cloud.call('cordonHost', { params: { host }, body: { on: off !== true } });
        if (json) terminal.json(is);
        else
          terminal.print(
            is.cordoned ? `${harmless(host)} takes no new runs` : `${harmless(host)} takes runs again`,
          );
      }),
    );
}
