import type { Command } from 'commander';
import type { RunView } from '../../client/index.ts';
import { type Context, subcommand, withContext } from '../context.ts';
import { formatBytes, progressOf, statusOf, styleOf, tookOf, whatOf } from '../describe.ts';
import { formatDuration } from '../duration.ts';
import { properties } from '../table.ts';
import { harmless, type Terminal } from '../terminal.ts';

export function status(): Command {
  return subcommand('status', 'Show how a run stands', ['rocksy status KEY', 'rocksy status KEY --json'])
    .argument('<key>', 'the run')
    .action(
      withContext(async ({ client, terminal, json }: Context, key: string) => {
        const run = await client.status(key);
        if (json) terminal.json(run);
        else terminal.print(properties(propertiesOf(run, terminal)));
      }),
    );
}

function propertiesOf(run: RunView, terminal: Terminal): [string, string][] {
  const all: [string, string | null][] = [
    ['key', harmless(run.key)],
    ['job', run.job === null ? null : harmless(run.job)],
    ['pool', poolOf(run)],
    [run.class === null ? 'command' : 'class', whatOf(run)],
    ['status', terminal.paint(styleOf(run), run.outcome === null ? run.state : statusOf(run))],
    ['error', run.error === null ? null : harmless(run.error)],
    ['exit code', run.retcode === null ? null : String(run.retcode)],
    ['result', run.result === null ? null : JSON.stringify(run.result)],
    ['progress', progressOf(run)],
    ['pid', run.pid === null ? null : String(run.pid)],
    ['created', timeOf(run.queued_ms)],
    ['started', timeOf(run.started_ms)],
    ['ended', timeOf(run.ended_ms)],
    ['took', tookOf(run, Date.now())],
    ['cpu', cpuOf(run)],
    ['peak memory', run.max_rss_bytes === null ? null : formatBytes(run.max_rss_bytes)],
  ];
  return all.filter((pair): pair is [string, string] => pair[1] !== null && pair[1] !== '');
}

function poolOf(run: RunView): string {
  return run.generation === null ? harmless(run.pool) : `${harmless(run.pool)}, generation ${run.generation}`;
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

function cpuOf({ cpu_user_ms: user, cpu_system_ms: system }: RunView): string | null {
  if (user === null || system === null) return null;
  return `${formatDuration(user)} user, ${formatDuration(system)} system`;
}
