import type { Command } from 'commander';
import type { Job } from '../../api/index.ts';
import { subcommand } from '../context.ts';
import { properties, table } from '../table.ts';
import { harmless, type Terminal } from '../terminal.ts';
import { atLeastOne, count } from '../values.ts';
import { type CloudContext, jobName, withCloud } from './context.ts';
import { ago, instancesText, localTime, pauseText, scheduleText } from './describe.ts';

const DEFAULT_LIMIT = 1000;

interface ListOptions {
  readonly project?: string;
  readonly search?: string;
  readonly limit: number;
}

export function jobs(): Command {
  const command = subcommand('jobs', 'List jobs; show one, its history; roll back, delete', [
    'rocksy jobs',
    'rocksy jobs --search report',
    'rocksy jobs show shop/report',
    'rocksy jobs history shop/report',
    'rocksy jobs rollback shop/report 3',
  ])
    .option('--project <name>', 'of one project')
    .option('--search <text>', 'whose names hold a text')
    .option('-n, --limit <count>', 'at most so many', count, DEFAULT_LIMIT)
    .action(withCloud(list));
  command
    .command('show <job>')
    .description('a job as it is defined')
    .action(
      withCloud(async ({ cloud, terminal }, job: string) => {
        terminal.print(JSON.stringify(await cloud.call('getJob', { params: jobName(job) }), null, 2));
      }),
    );
  command
    .command('history <job>')
    .description('all definitions that a job has had, with what changed')
    .action(withCloud(history));
  command
    .command('rollback <job>')
    .argument('<version>', 'as history shows it', versionNumber)
    .description('make a former definition the present one')
    .action(
      withCloud(async ({ cloud, terminal, json }, job: string, version: number) => {
        const is = await cloud.call('rollbackJob', { params: jobName(job), body: { version } });
        if (json) terminal.json(is);
        else terminal.print(`${harmless(job)} is as it was in version ${version}, as version ${is.version}`);
      }),
    );
  command
    .command('delete <job>')
    .description('delete a job; its runs and its history stay')
    .action(
      withCloud(async ({ cloud, terminal, json }, job: string) => {
        const answer = await cloud.call('deleteJob', { params: jobName(job) });
        if (json) terminal.json(answer);
        else terminal.print(`${harmless(job)} is deleted`);
      }),
    );
  command
    .command('webhook <job>')
    .description('the path and the secret by which a job can be started without a token')
    .action(
      withCloud(async ({ cloud, terminal, json }, job: string) => {
        const webhook = await cloud.call('webhookOfJob', { params: jobName(job) });
        if (json) terminal.json(webhook);
        else
          terminal.print(
            properties([
              ['path', webhook.path],
              ['secret', webhook.secret],
            ]),
          );
      }),
    );
  return command;
}

function versionNumber(text: string): number {
  return atLeastOne(text.replace(/^v/, ''));
}

async function list(
  { cloud, terminal, json }: CloudContext,
  { project, search, limit }: ListOptions,
): Promise<void> {
  const found = [];
  const query = {
    limit: Math.min(1000, limit),
    ...(project === undefined ? {} : { project }),
    ...(search === undefined ? {} : { q: search }),
  };
  for await (const job of cloud.all('listJobs', { query })) if (found.push(job) === limit) break;
  const { pause: ofAll } = await cloud.call('status', {});
  if (json) {
    terminal.json(found);
    return;
  }
  const now = Date.now();
  const rows = found.map((job) => [
    harmless(`${job.project}/${job.name}`),
    `v${job.version}`,
    nextText(job, now, terminal),
    scheduleText(job),
  ]);
  terminal.print(table(['JOB', 'VERSION', 'NEXT', 'SCHEDULE'], rows));
  if (ofAll !== null)
    terminal.note(
      `${terminal.paintNote('yellow', `All jobs are ${pauseText(ofAll)}`)}\n\`rocksy resume --all\` ends that.`,
    );
}

function nextText({ pause, instances, next_due_ms: nextMs }: Job, nowMs: number, terminal: Terminal): string {
  if (pause !== null) return terminal.paint('yellow', pauseText(pause));
  if (instances === null) return ago(nextMs, nowMs);
  const isWell = instances.backlog_error === null && instances.slowed_until_ms === null;
  return isWell ? instancesText(instances) : terminal.paint('yellow', instancesText(instances));
}

async function history({ cloud, terminal, json }: CloudContext, job: string): Promise<void> {
  const { items } = await cloud.call('jobHistory', { params: jobName(job) });
  if (json) {
    terminal.json(items);
    return;
  }
  for (const version of items) {
    terminal.print(`v${version.version}  ${localTime(version.applied_ms)}  ${harmless(version.applied_by)}`);
    for (const { key, before, after } of version.changes)
      terminal.print(`    ${key}: ${harmless(JSON.stringify(before))} → ${harmless(JSON.stringify(after))}`);
  }
}
