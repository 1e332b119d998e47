import { type Command, Option } from 'commander';
import { subcommand } from '../context.ts';
import { harmless } from '../terminal.ts';
import { moment } from '../values.ts';
import { jobName, withCloud } from './context.ts';
import { fireText, localTime } from './describe.ts';

export function why(): Command {
  return subcommand('why', 'Why a job ran, or did not', [
    'rocksy why shop/report',
    'rocksy why shop/report --at 03:00',
  ])
    .argument('<job>', 'project/name')
    .addOption(new Option('--at <time>', 'a due time: 03:00, or 2026-01-31T03:00:00Z').argParser(moment))
    .action(
      withCloud(async ({ cloud, terminal, json }, job: string, { at }: { readonly at?: number }) => {
        const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
        const query = { timezone: timeZone, ...(at === undefined ? {} : { at_ms: at }) };
        const answer = await cloud.call('why', { params: jobName(job), query });
        if (json) {
          terminal.json(answer);
          return;
        }
        for (const line of answer.text) terminal.print(harmless(line));
        if (answer.recent.length > 0) terminal.print('');
        for (const fire of answer.recent) terminal.print(`${localTime(fire.due_ms)}  ${fireText(fire)}`);
      }),
    );
}
