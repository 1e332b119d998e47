import { type Command, Option } from 'commander';
import type { Run } from '../../api/index.ts';
import { subcommand } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { properties, table } from '../table.ts';
import { harmless } from '../terminal.ts';
import { count, moment } from '../values.ts';
import { type CloudContext, jobName, withCloud } from './context.ts';
import { ago, jobOf, localTime, outcomeOf, statusOf, styleOf, tookOf } from './describe.ts';

const OUTCOMES = ['succeeded', 'failed', 'killed', 'timed_out', 'cancelled', 'lost'] as const;
const STATES = ['queued', 'starting', 'running', 'unreachable', 'ended', 'active'] as const;
const DEFAULT_LIMIT = 50;

interface ListOptions {
  readonly project?: string;
  readonly job?: string;
  readonly host?: string;
  readonly outcome?: (typeof OUTCOMES)[number];
  readonly state?: (typeof STATES)[number];
  readonly limit: number;
}

export function runs(): Command {
  return subcommand('runs', 'List runs of the cloud, newest first; show one', [
    'rocksy runs',
    'rocksy runs --job shop/report --outcome failed',
    'rocksy runs --state active',
    'rocksy runs KEY',
  ])
    .argument('[key]', 'show this one')
    .option('--project <name>', 'of one project')
    .option('--job <job>', 'of one job: project/name')
    .option('--host <name>', 'of one host')
    .addOption(new Option('--outcome <outcome>', 'that ended so').choices(OUTCOMES))
    .addOption(new Option('--state <state>', 'in one state').choices(STATES))
    .option('-n, --limit <count>', 'at most so many', count, DEFAULT_LIMIT)
    .action(
      withCloud(async (context, key: string | undefined, options: ListOptions) => {
        if (key === undefined) await list(context, options);
        else await show(context, key);
      }),
    );
}

async function list({ cloud, terminal, json }: CloudContext, options: ListOptions): Promise<void> {
  const { job, limit, ...filter } = options;
  const of = job === undefined ? {} : { job: jobName(job).name, project: jobName(job).project };
  const found: Run[] = [];
  const query = { limit: Math.min(1000, limit), ...filter, ...of };
  if (limit > 0)
    for await (const run of cloud.all('listRuns', { query })) if (found.push(run) === limit) break;
  if (json) {
    terminal.json(found);
    return;
  }
  const now = Date.now();
  const rows = found.map((run) => [
    harmless(run.key),
    jobOf(run),
    harmless(run.host ?? ''),
    terminal.paint(styleOf(run), statusOf(run)),
    ago(run.due_ms ?? run.queued_ms, now),
    tookOf(run, now),
  ]);
  terminal.print(table(['KEY', 'JOB', 'HOST', 'STATUS', 'DUE', 'TOOK'], rows));
}

async function show({ cloud, terminal, json }: CloudContext, key: string): Promise<void> {
  const { run, attempts } = await cloud.call('getRun', { params: { key } });
  if (json) {
    terminal.json({ run, attempts });
    return;
  }
  const time = (ms: number | null) => (ms === null ? '' : localTime(ms));
  const pairs: [string, string][] = [
    ['key', harmless(run.key)],
    ['job', jobOf(run)],
    ['status', terminal.paint(styleOf(run), statusOf(run))],
    ['cause', harmless(`${run.cause}${run.cause_ref === null ? '' : ` ${run.cause_ref}`}`)],
    ['host', harmless(run.host ?? '')],
    ['due', time(run.due_ms)],
    ['queued', time(run.queued_ms)],
    ['started', time(run.started_ms)],
    ['ended', time(run.ended_ms)],
    ['took', tookOf(run, Date.now())],
    ['attempt', String(run.attempt)],
    ['error', harmless(run.error ?? '')],
    ['result', run.result === null ? '' : harmless(JSON.stringify(run.result))],
    ['cancelled by', harmless(run.cancelled_by ?? '')],
  ];
  terminal.print(properties(pairs.filter(([, value]) => value !== '')));
  if (attempts.length === 0) return;
  const rows = attempts.map((each) => [
    String(each.attempt),
    harmless(each.host),
    outcomeOf(each),
    time(each.started_ms),
    time(each.ended_ms),
    harmless(each.error ?? ''),
  ]);
  terminal.print(`\n${table(['ATTEMPT', 'HOST', 'OUTCOME', 'STARTED', 'ENDED', 'ERROR'], rows)}`);
}

export function cancel(): Command {
  return subcommand('cancel', 'End runs of the cloud, wherever they are', ['rocksy cancel KEY'])
    .argument('<key...>', 'runs')
    .action(
      withCloud(async ({ cloud, terminal, json }, keys: readonly string[]) => {
        const cancelled: Run[] = [];
        for (const key of keys) cancelled.push(await cloud.call('cancelRun', { params: { key } }));
        if (json) terminal.json(cancelled);
        else
          for (const run of cancelled)
            terminal.print(`${harmless(run.key)} ${run.outcome === null ? 'is being ended' : statusOf(run)}`);
      }),
    );
}

interface RerunOptions {
  readonly failed?: true;
  readonly since?: number;
  readonly project?: string;
  readonly job?: string;
  readonly dryRun?: true;
}

export function rerun(): Command {
  return subcommand('rerun', 'Make another run of what a run was', [
    'rocksy rerun KEY',
    'rocksy rerun --failed --since 1h',
    'rocksy rerun --failed --since 1d --job shop/report --dry-run',
  ])
    .argument('[key...]', 'runs')
    .option('--failed', 'all that ended badly since --since')
    .addOption(new Option('--since <time>', '10m ago, or 2026-01-31T12:00:00Z').argParser(moment))
    .option('--project <name>', 'of one project')
    .option('--job <job>', 'of one job: project/name')
    .option('--dry-run', 'only say which')
    .action(
      withCloud(async (context, keys: readonly string[], options: RerunOptions) => {
        const { terminal, json } = context;
        if ((options.failed === true) === keys.length > 0)
          throw new CliError('Name runs, or say --failed', { exitCode: EXIT.usage });
        const made =
          options.failed === true ? await rerunFailed(context, options) : await rerunEach(context, keys);
        if (json) terminal.json(made);
        else for (const { former, key } of made) terminal.print(`${harmless(former)} → ${harmless(key)}`);
      }),
    );
}

async function rerunFailed({ cloud }: CloudContext, { since, project, job, dryRun }: RerunOptions) {
  const of = job === undefined ? {} : { job: jobName(job).name, project: jobName(job).project };
  const { runs: made } = await cloud.call('rerunRuns', {
    body: {
      since_ms: since ?? Date.now() - 86_400_000,
      dry_run: dryRun === true,
      ...(project === undefined ? {} : { project }),
      ...of,
    },
  });
  return made;
}

async function rerunEach({ cloud }: CloudContext, keys: readonly string[]) {
  const made: { former: string; key: string }[] = [];
  for (const former of keys)
    made.push({ former, key: (await cloud.call('rerunRun', { params: { key: former } })).key });
  return made;
}
