import { type Command, InvalidArgumentError, Option } from 'commander';
import { subcommand } from '../context.ts';
import { parseMomentToCome } from '../duration.ts';
import { CliError, EXIT } from '../exit.ts';
import { harmless } from '../terminal.ts';
import { type CloudContext, jobName, withCloud } from './context.ts';
import { localTime } from './describe.ts';

interface Options {
  readonly all?: true;
  readonly until?: number;
  readonly reason?: string;
}

export function pause(): Command {
  return subcommand('pause', 'Let a job, or all jobs, skip their due times', [
    'rocksy pause shop/report --until 2h --reason "database is being moved"',
    'rocksy pause --all --reason maintenance',
  ])
    .argument('[job...]', 'project/name')
    .option('--all', 'all jobs')
    .addOption(
      new Option('--until <time>', 'for so long (2h), or until 06:00 or 2026-01-31T12:00:00Z').argParser(
        future,
      ),
    )
    .option('--reason <text>', 'why, for whoever asks')
    .action(
      withCloud(async (context, jobs: readonly string[], { all, until, reason }: Options) => {
        const body = {
          ...(until === undefined ? {} : { until_ms: until }),
          ...(reason === undefined ? {} : { reason }),
        };
        const words = `paused${until === undefined ? '' : ` until ${localTime(until)}`}`;
        await each(context, jobs, all === true, words, {
          all: () => context.cloud.call('pauseAll', { body }),
          one: (job) => context.cloud.call('pauseJob', { params: jobName(job), body }),
        });
      }),
    );
}

export function resume(): Command {
  return subcommand('resume', 'End a pause', ['rocksy resume shop/report', 'rocksy resume --all'])
    .argument('[job...]', 'project/name')
    .option('--all', 'the pause of all jobs')
    .action(
      withCloud(async (context, jobs: readonly string[], { all }: Options) => {
        await each(context, jobs, all === true, 'resumed', {
          all: () => context.cloud.call('resumeAll', {}),
          one: (job) => context.cloud.call('resumeJob', { params: jobName(job) }),
        });
      }),
    );
}

async function each(
  { terminal, json }: CloudContext,
  jobs: readonly string[],
  all: boolean,
  words: string,
  act: { readonly all: () => Promise<unknown>; readonly one: (job: string) => Promise<unknown> },
): Promise<void> {
  if (all === jobs.length > 0) throw new CliError('Name jobs, or say --all', { exitCode: EXIT.usage });
  const answers: unknown[] = [];
  if (all) answers.push(await act.all());
  for (const job of jobs) answers.push(await act.one(job));
  if (json) terminal.json(all ? answers[0] : answers);
  else for (const name of all ? ['all jobs'] : jobs) terminal.print(`${harmless(name)}: ${words}`);
}

function future(text: string): number {
  const at = parseMomentToCome(text, Date.now());
  if (at === null)
    throw new InvalidArgumentError(
      'Expected a duration (2h), a time of day (06:00) or a time (2026-01-31T12:00:00Z).',
    );
  if (at <= Date.now()) throw new InvalidArgumentError('That time has passed.');
  return at;
}
