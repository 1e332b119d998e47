import type { Command } from 'commander';
import type { JobChange } from '../../api/index.ts';
import { subcommand } from '../context.ts';
import { CliError } from '../exit.ts';
import { harmless, type Style, type Terminal } from '../terminal.ts';
import { type CloudContext, withCloud } from './context.ts';
import { localTime } from './describe.ts';
import { type JobFile, jobFilesAt } from './job-files.ts';

interface Options {
  readonly file: readonly string[];
  readonly dryRun?: true;
  readonly prune?: true;
}

export function apply(): Command {
  return subcommand('apply', 'Make jobs what job files say', [
    'rocksy apply -f jobs/ --dry-run',
    'rocksy apply -f jobs/ --prune',
    'rocksy apply -f shop.yaml -f billing.yaml',
  ])
    .requiredOption('-f, --file <path>', 'a job file, or a folder with such files (*.yaml, *.yml)', collect)
    .option('--dry-run', 'only say what would change')
    .option('--prune', 'delete jobs of these projects that are in none of the files named')
    .action(withCloud(act));
}

function collect(path: string, former: readonly string[] = []): readonly string[] {
  return [...former, path];
}

async function act(context: CloudContext, { file, dryRun, prune }: Options): Promise<void> {
  const { cloud, terminal, json } = context;
  const files = (await Promise.all(file.map(filesOf))).flat();
  const answer = await cloud.call('applyJobs', {
    body: { files, dry_run: dryRun === true, prune: prune === true },
  });
  if (json) terminal.json(answer);
  else show(answer.jobs, dryRun === true, terminal);
}

async function filesOf(path: string): Promise<readonly JobFile[]> {
  const files = await jobFilesAt(path);
  if (files.length === 0) throw new CliError(`${path} has no *.yaml and no *.yml`);
  return files;
}

const SIGNS: Record<JobChange['change'], readonly [sign: string, style: Style]> = {
  created: ['+', 'green'],
  changed: ['~', 'yellow'],
  removed: ['-', 'red'],
  superfluous: ['?', 'dim'],
  unchanged: ['=', 'dim'],
};

const HINTS: Partial<Record<JobChange['change'], string>> = {
  superfluous: ' (in none of the files named; --prune deletes it)',
  removed: ' (in none of the files named)',
};

function show(jobs: readonly JobChange[], isDryRun: boolean, terminal: Terminal): void {
  const told = jobs.filter(({ change }) => change !== 'unchanged');
  for (const job of told) {
    const [sign, style] = SIGNS[job.change];
    terminal.print(
      `${terminal.paint(style, `${sign} ${harmless(job.project)}/${harmless(job.name)}`)}${HINTS[job.change] ?? ''}`,
    );
    for (const { key, before, after } of job.changes)
      terminal.print(
        `    ${key}: ${harmless(JSON.stringify(before) ?? 'nothing')} → ${harmless(JSON.stringify(after) ?? 'nothing')}`,
      );
    const [was, is] = [job.next_due_before, job.next_due_after].map((due) => due.map(localTime).join(', '));
    if (was !== is && was !== '') terminal.print(`    was due next: ${was}`);
    if (is !== '' && was !== is) terminal.print(`    due next: ${is}`);
  }
  const count = (change: JobChange['change']) => jobs.filter((job) => job.change === change).length;
  terminal.print(
    `${count('created')} created, ${count('changed')} changed, ${count('removed')} deleted, ${count('unchanged')} as they were${isDryRun ? ': a dry run, nothing has been done' : ''}`,
  );
}
