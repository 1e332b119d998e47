import type { Command } from 'commander';
import { subcommand } from '../context.ts';
import { table } from '../table.ts';
import { harmless } from '../terminal.ts';
import { withCloud } from './context.ts';
import { ago, localTime } from './describe.ts';

export function alerts(): Command {
  const command = subcommand('alerts', 'What is wrong with jobs now; who was told of it', [
    'rocksy alerts',
    'rocksy alerts deliveries',
  ]).action(
    withCloud(async ({ cloud, terminal, json }) => {
      const { items } = await cloud.call('listIncidents', {});
      if (json) {
        terminal.json(items);
        return;
      }
      const now = Date.now();
      const rows = items.map((each) => [
        harmless(each.job),
        each.kind.replace('_', ' '),
        each.state,
        String(each.count),
        ago(each.opened_ms, now),
        ago(each.last_ms, now),
        harmless(each.cause),
      ]);
      terminal.print(table(['JOB', 'WHAT', 'STATE', 'TIMES', 'SINCE', 'LAST', 'CAUSE'], rows));
    }),
  );
  command
    .command('deliveries')
    .description('who was told of what, and how that went')
    .action(
      withCloud(async ({ cloud, terminal, json }) => {
        const { items } = await cloud.call('listDeliveries', { query: { limit: 50 } });
        if (json) {
          terminal.json(items);
          return;
        }
        const rows = items.map((each) => [
          localTime(each.created_ms),
          harmless(each.channel),
          harmless(noticeText(each.notice as Notice)),
          each.state.replace('_', ' '),
          String(each.attempts.length),
          harmless(each.attempts.at(-1)?.detail ?? ''),
        ]);
        terminal.print(table(['AT', 'CHANNEL', 'WHAT', 'STATE', 'ATTEMPTS', 'LAST'], rows));
      }),
    );
  return command;
}

/** What this file reads of a notice. */
interface Notice {
  readonly what: string;
  readonly kind: string;
  readonly jobs: readonly { readonly job: string }[];
  readonly more: readonly { readonly count: number }[];
}

function noticeText({ what, kind, jobs, more }: Notice): string {
  const others = more.reduce((sum, { count }) => sum + count, jobs.length - 1);
  return `${what}: ${jobs[0]?.job ?? ''}${others > 0 ? ` and ${others} more` : ''} ${kind.replace('_', ' ')}`;
}
