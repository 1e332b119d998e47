import { type Command, Option } from 'commander';
import type { RunView } from '../../client/index.ts';
import { type Context, subcommand, withContext } from '../context.ts';
import { statusOf, styleOf, tookOf, whatOf } from '../describe.ts';
import { formatDuration } from '../duration.ts';
import { shorten, table } from '../table.ts';
import { harmless, type Terminal } from '../terminal.ts';
import { count } from '../values.ts';

const STATES = ['queued', 'starting', 'running', 'ended', 'active'] as const;
const DEFAULT_LIMIT = 1000;
const PAGE = 1000;
const WHAT_COLUMNS = 40;

interface Options {
  readonly all?: true;
  readonly pool?: string;
  readonly state?: (typeof STATES)[number];
  readonly limit: number;
}

export function ps(): Command {
  return subcommand('ps', 'List runs, newest first', [
    'rocksy ps',
    'rocksy ps -a --pool web',
    'rocksy ps --state ended --json',
  ])
    .option('-a, --all', 'ended ones too (default: only those that are not over)')
    .option('-p, --pool <pool>', 'of one pool')
    .addOption(new Option('-s, --state <state>', 'in one state').choices(STATES).conflicts('all'))
    .option('-n, --limit <count>', 'at most so many', count, DEFAULT_LIMIT)
    .action(withContext(act));
}

async function act({ client, terminal, json }: Context, { all, pool, state, limit }: Options): Promise<void> {
  const wanted = state ?? (all ? undefined : 'active');
  const filter = {
    limit: Math.min(PAGE, limit + 1),
    ...(pool === undefined ? {} : { pool }),
    ...(wanted === undefined ? {} : { state: wanted }),
  };
  const runs: RunView[] = [];
  let more = false;
  for await (const run of client.list(filter)) {
    more = runs.length === limit;
    if (more) break;
    runs.push(run);
  }
  if (json) terminal.json(runs);
  else terminal.print(tableOf(runs, terminal));
  if (more) terminal.note(`There are more than these ${limit}: --limit shows them.`);
}

function tableOf(runs: readonly RunView[], terminal: Terminal): string {
  const now = Date.now();
  const rows = runs.map((run) => [
    harmless(run.key),
    harmless(run.pool),
    terminal.columns === null ? whatOf(run) : shorten(whatOf(run), WHAT_COLUMNS),
    terminal.paint(styleOf(run), statusOf(run)),
    `${formatDuration(now - run.queued_ms)} ago`,
    tookOf(run, now),
  ]);
  return table(['KEY', 'POOL', 'RUNS', 'STATUS', 'CREATED', 'TOOK'], rows);
}
