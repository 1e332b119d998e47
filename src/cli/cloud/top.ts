import type { Command } from 'commander';
import type { Host, Run, Status } from '../../api/index.ts';
import { subcommand } from '../context.ts';
import { formatDuration } from '../duration.ts';
import { shorten, table } from '../table.ts';
import { harmless, type Terminal } from '../terminal.ts';
import { type CloudContext, withCloud } from './context.ts';
import { ago, jobOf, statusOf, styleOf, tookOf } from './describe.ts';
import { hostTable } from './hosts.ts';

const EVERY_MS = 1_000;
const ACTIVE = 15;
const ENDED = 10;

interface Seen {
  readonly status: Status;
  readonly hosts: readonly Host[];
  readonly active: readonly Run[];
  readonly ended: readonly Run[];
}

export function top(): Command {
  return subcommand('top', 'A live view: hosts, what runs, what ended', ['rocksy top', 'rocksy top --once'])
    .option('--once', 'print it once')
    .action(
      withCloud(async (context, { once }: { readonly once?: true }) => {
        if (context.json) {
          context.terminal.json(await look(context));
          return;
        }
        if (once === true || context.terminal.columns === null) {
          context.terminal.print(render(await look(context), context.terminal));
          return;
        }
        await live(context);
      }),
    );
}

async function live(context: CloudContext): Promise<void> {
  const { terminal, cloud } = context;
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  // The alternate screen, without the cursor: xterm's control sequences, DECSET 1049 and 25.
  terminal.print('\u001b[?1049h\u001b[?25l');
  try {
    while (!stop.signal.aborted) {
      const text = await look(context).then(
        (seen) => render(seen, terminal),
        (error: Error) => `${cloud.address} does not answer: ${harmless(error.message)}`,
      );
      terminal.print(`\u001b[H\u001b[2J${text}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, EVERY_MS);
        stop.signal.addEventListener('abort', () => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  } finally {
    terminal.print('\u001b[?25h\u001b[?1049l');
  }
}

async function look({ cloud }: CloudContext): Promise<Seen> {
  const [status, hosts, active, ended] = await Promise.all([
    cloud.call('status', {}),
    cloud.call('listHosts', {}),
    cloud.call('listRuns', { query: { state: 'active', limit: ACTIVE } }),
    cloud.call('listRuns', { query: { state: 'ended', limit: ENDED } }),
  ]);
  return { status, hosts: hosts.items, active: active.items, ended: ended.items };
}

function render({ status, hosts, active, ended }: Seen, terminal: Terminal): string {
  const now = Date.now();
  const day = Object.entries(status.outcomes_24h).map(([outcome, n]) => `${n} ${outcome.replace('_', ' ')}`);
  const paused =
    status.pause === null
      ? ''
      : terminal.paint(
          'yellow',
          `  all jobs are paused${status.pause.reason === null ? '' : `: ${harmless(status.pause.reason)}`}`,
        );
  return [
    `rocksy ${status.version}, up ${formatDuration(now - status.started_ms)}: ${status.jobs} jobs, ${status.queued} waiting, ${status.active} not ended${paused}`,
    `24 h: ${day.length === 0 ? 'nothing has ended' : day.join(', ')}`,
    '',
    hostTable(hosts, terminal),
    '',
    runTable('RUNNING AND WAITING', active, now, terminal),
    '',
    runTable('ENDED', ended, now, terminal),
  ].join('\n');
}

function runTable(title: string, runs: readonly Run[], now: number, terminal: Terminal): string {
  const width = terminal.columns === null ? 60 : Math.max(20, terminal.columns - 70);
  const rows = runs.map((run) => [
    shorten(jobOf(run), 36),
    harmless(run.host ?? ''),
    terminal.paint(styleOf(run), shorten(statusOf(run), width)),
    ago(run.due_ms ?? run.queued_ms, now),
    tookOf(run, now),
  ]);
  return table([title, 'HOST', 'STATUS', 'DUE', 'TOOK'], rows);
}
