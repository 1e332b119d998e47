import type { Host, Run, Status } from '../../api/index.ts';
import { formatDuration } from '../duration.ts';
import { clip, GAP, shorten, table } from '../table.ts';
import { harmless, type Terminal } from '../terminal.ts';
import { ago, jobOf, pauseText, statusOf, styleOf, tookOf } from './describe.ts';
import { hostTable } from './hosts.ts';

export interface Seen {
  readonly status: Status;
  readonly hosts: readonly Host[];
  /** Newest first. */
  readonly active: readonly Run[];
  readonly ended: readonly Run[];
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** What all that is not a row of a list takes: two lines of counts, three headings, three empty lines. */
const FRAME_ROWS = 8;
/** From so many columns on there is room for keys. */
const WIDE_COLUMNS = 140;
const MIN_STATUS_COLUMNS = 20;

/** Lines that fit the screen. Pure but for the colours, which are the terminal's. */
export function screen(
  { status, hosts, active, ended }: Seen,
  { columns, rows }: Size,
  nowMs: number,
  terminal: Terminal,
): string[] {
  const room = Math.max(3, rows - FRAME_ROWS);
  const forHosts = Math.min(hosts.length, Math.max(1, Math.floor(room / 3)));
  const forActive = Math.min(active.length, Math.max(1, Math.floor((room - forHosts) / 2)));
  const forEnded = Math.max(1, room - forHosts - forActive);
  return [
    ...countsOf(status, nowMs, terminal),
    '',
    ...hostTable(hosts.slice(0, forHosts), terminal).split('\n'),
    '',
    ...runLines('RUNNING AND WAITING', active.slice(0, forActive), columns, nowMs, terminal),
    '',
    ...runLines('ENDED', ended.slice(0, forEnded), columns, nowMs, terminal),
  ]
    .slice(0, rows)
    .map((line) => clip(line, columns));
}

function countsOf(status: Status, nowMs: number, terminal: Terminal): string[] {
  const { version, started_ms: startedMs, jobs, queued, active, hosts, hosts_connected: connected } = status;
  const day = Object.entries(status.outcomes_24h).map(([outcome, n]) => `${n} ${outcome.replace('_', ' ')}`);
  const paused =
    status.pause === null ? '' : terminal.paint('yellow', `  all jobs are ${pauseText(status.pause)}`);
  return [
    `rocksy ${harmless(version)}, up ${formatDuration(nowMs - startedMs)}: ${connected} of ${hosts} hosts, ${jobs} jobs, ${queued} waiting, ${active} not ended${paused}`,
    `24 h: ${day.length === 0 ? 'nothing has ended' : day.join(', ')}`,
  ];
}

function runLines(
  title: string,
  runs: readonly Run[],
  columns: number,
  nowMs: number,
  terminal: Terminal,
): string[] {
  const isWide = columns >= WIDE_COLUMNS;
  const heads = (status: readonly string[]) => [
    title,
    'HOST',
    ...status,
    'DUE',
    'TOOK',
    ...(isWide ? ['KEY'] : []),
  ];
  const cells = (run: Run, status: readonly string[]) => [
    shorten(jobOf(run), 36),
    harmless(run.host ?? ''),
    ...status,
    ago(run.due_ms ?? run.queued_ms, nowMs),
    tookOf(run, nowMs),
    ...(isWide ? [harmless(run.key)] : []),
  ];
  const others = table(
    heads([]),
    runs.map((run) => cells(run, [])),
  );
  const left = columns - Math.max(...others.split('\n').map((line) => line.length)) - GAP;
  const statusColumns = Math.max(MIN_STATUS_COLUMNS, left);
  const rows = runs.map((run) =>
    cells(run, [terminal.paint(styleOf(run), shorten(statusOf(run), statusColumns))]),
  );
  return table(heads(['STATUS']), rows).split('\n');
}
