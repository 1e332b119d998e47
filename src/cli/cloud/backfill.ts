import { type Command, InvalidArgumentError, Option } from 'commander';
import { subcommand } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { harmless } from '../terminal.ts';
import { atLeastOne } from '../values.ts';
import { jobName, withCloud } from './context.ts';
import { localTime } from './describe.ts';

const SHOWN = 10;

interface Options {
  readonly from: number;
  readonly to: number;
  readonly parallel: number;
  readonly dryRun?: true;
}

export function backfill(): Command {
  return subcommand('backfill', 'Run a job for each due time of a period', [
    'rocksy backfill shop/report --from 2026-01-01 --to 2026-02-01 --dry-run',
    'rocksy backfill shop/report --from 2026-01-01 --to 2026-02-01 --parallel 4',
  ])
    .argument('<job>', 'project/name')
    .addOption(new Option('--from <time>', 'from then on').argParser(date).makeOptionMandatory())
    .addOption(new Option('--to <time>', 'until before then').argParser(date).makeOptionMandatory())
    .option('--parallel <count>', 'so many at a time', atLeastOne, 1)
    .option('--dry-run', 'only say for which times')
    .action(
      withCloud(async ({ cloud, terminal, json }, job: string, { from, to, parallel, dryRun }: Options) => {
        if (from >= to) throw new CliError('--from has to be before --to', { exitCode: EXIT.usage });
        const answer = await cloud.call('backfillJob', {
          params: jobName(job),
          body: { from_ms: from, to_ms: to, parallel, dry_run: dryRun === true },
        });
        if (json) {
          terminal.json(answer);
          return;
        }
        for (const due of answer.due.slice(0, SHOWN)) terminal.print(localTime(due));
        if (answer.due.length > SHOWN) terminal.print(`… and ${answer.due.length - SHOWN} more`);
        if (answer.due.length === 0)
          terminal.print(`${harmless(job)} was not due in that period; nothing has been done`);
        else
          terminal.print(
            dryRun === true
              ? `${harmless(job)} was due ${answer.due.length} times; nothing has been done`
              : `${answer.created} runs made; ${answer.due.length - answer.created} were there already`,
          );
      }),
    );
}

function date(text: string): number {
  const at = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at))
    throw new InvalidArgumentError('Expected a date (2026-01-31) or a time (2026-01-31T12:00:00Z).');
  return at;
}
