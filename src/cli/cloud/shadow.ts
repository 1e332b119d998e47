import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { type Command, Option } from 'commander';
import type { CloudClient } from '../../client/index.ts';
import type { Planned } from '../../cloud/import/index.ts';
import { subcommand } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { harmless } from '../terminal.ts';
import { moment, timezone } from '../values.ts';
import { type CloudContext, withCloud } from './context.ts';
import { localTime } from './describe.ts';

const DAY_MS = 86_400_000;
/** What lies just outside of the period may belong to what lies just inside. */
const TOLERANCE_MS = 60_000;
const SHOWN = 50;

interface Options {
  readonly since: number;
  readonly until?: number;
  readonly timezone?: string;
  readonly project?: string;
}

export function shadow(): Command {
  return subcommand('shadow-report', 'Compare what jobs in shadow mode would have run with what cron ran', [
    'journalctl -t CRON -o short-iso --since yesterday | rocksy shadow-report - --since 1d',
    'rocksy shadow-report /var/log/syslog --since 2026-01-30T00:00:00Z --until 2026-01-31T00:00:00Z',
  ])
    .argument('<file>', 'a syslog of cron; - is our standard input')
    .addOption(new Option('--since <time>', '1d ago, or a time').argParser(moment).makeOptionMandatory())
    .addOption(new Option('--until <time>', 'until before then (default: now)').argParser(moment))
    .addOption(
      new Option(
        '--timezone <zone>',
        'of the clocks that the log was written by (default: that of this machine)',
      ).argParser(timezone),
    )
    .option('--project <name>', 'jobs of one project')
    .addHelpText('after', '\nExit code: 0 when both agree, 1 when they differ.')
    .action(withCloud(act));
}

async function act({ cloud, terminal, json }: CloudContext, file: string, options: Options): Promise<void> {
  const { compareWithCron, readCronLog } = await import('../../cloud/import/index.ts');
  const log = file === '-' ? await text(process.stdin) : await readFile(file, 'utf8').catch(unreadable);
  const zone = options.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  const period = { fromMs: options.since, untilMs: options.until ?? Date.now(), toleranceMs: TOLERANCE_MS };
  const ran = [...readCronLog(log, { nowMs: Math.max(Date.now(), period.untilMs) + DAY_MS, timezone: zone })];
  const planned = await plannedBetween(cloud, period, options.project);
  const { matched, onlyPlanned, onlyRan } = compareWithCron(planned, ran, period);
  if (onlyPlanned.length + onlyRan.length > 0) process.exitCode = EXIT.error;
  if (json) {
    terminal.json({ matched: matched.length, only_planned: onlyPlanned, only_ran: onlyRan });
    return;
  }
  terminal.print(`${matched.length} starts of cron and due times agree`);
  list(
    'planned, and not run by cron',
    onlyPlanned.map(({ dueMs, job, command }) => [dueMs, `${job}: ${command}`]),
  );
  list(
    'run by cron, and not planned',
    onlyRan.map(({ atMs, user, command }) => [atMs, `(${user}) ${command}`]),
  );

  function list(title: string, lines: readonly (readonly [atMs: number, text: string])[]): void {
    if (lines.length === 0) return;
    terminal.print(`\n${terminal.paint('yellow', `${lines.length} ${title}`)}`);
    for (const [atMs, line] of lines.slice(0, SHOWN))
      terminal.print(`  ${localTime(atMs)}  ${harmless(line)}`);
    if (lines.length > SHOWN) terminal.print(`  … and ${lines.length - SHOWN} more (--json shows all)`);
  }
}

/** Due times of jobs that are shadows, from the ledger. */
async function plannedBetween(
  cloud: CloudClient,
  { fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number },
  project: string | undefined,
): Promise<Planned[]> {
  const { commandOf } = await import('../../cloud/import/index.ts');
  const planned: Planned[] = [];
  const query = { limit: 1000, ...(project === undefined ? {} : { project }) };
  for await (const { project: of, name, definition } of cloud.all('listJobs', { query })) {
    const { run, shadow: isShadow } = definition as { run: { argv?: string[] }; shadow?: boolean };
    if (isShadow !== true || run.argv === undefined) continue;
    const command = commandOf(run.argv);
    const range = { from_ms: Math.max(0, fromMs - TOLERANCE_MS), to_ms: untilMs + TOLERANCE_MS, limit: 1000 };
    for await (const fire of cloud.all('ledger', { params: { project: of, name }, query: range }))
      if (fire.reason === 'shadow') planned.push({ job: `${of}/${name}`, command, dueMs: fire.due_ms });
  }
  return planned;
}

function unreadable(error: Error): never {
  throw new CliError(`The log can't be read: ${error.message}`);
}
