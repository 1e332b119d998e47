import type { PoolView, RunView } from '../client/index.ts';
import { formatDuration } from './duration.ts';
import { harmless, type Style } from './terminal.ts';

// Runs and pools in words for people.

/** What a run runs: its class or its command line. */
export function whatOf(run: RunView): string {
  return harmless(run.class ?? (run.argv ?? []).map(quoted).join(' '));
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

export function statusOf(run: RunView): string {
  if (run.outcome === null) return [run.state, progressOf(run)].filter((part) => part !== '').join(' ');
  const words = run.outcome.replace('_', ' ');
  if (run.outcome === 'killed' && run.signal !== null) return `${words} (${run.signal})`;
  return run.outcome === 'failed' && run.code !== null ? `${words} (${run.code})` : words;
}

export function progressOf({ progress }: RunView): string {
  if (progress === null) return '';
  const percent = progress.percent === null ? '' : `${progress.percent}%`;
  return harmless(`${percent} ${progress.text}`.trim());
}

export function styleOf(run: RunView): Style {
  if (run.outcome === 'succeeded') return 'green';
  if (run.outcome === 'cancelled' || run.outcome === null) return run.outcome === null ? 'cyan' : 'yellow';
  return 'red';
}

/** How long it ran, or has been running. */
export function tookOf(run: RunView, nowMs: number): string {
  if (run.started_ms === null) return '';
  return formatDuration((run.ended_ms ?? nowMs) - run.started_ms);
}

/** The end of a run in one line: `KEY failed (3) after 1.2s: what went wrong`. */
export function outcomeLine(run: RunView): string {
  const took = run.started_ms === null ? '' : ` after ${tookOf(run, Date.now())}`;
  const error = run.error === null ? '' : `: ${harmless(run.error)}`;
  return `${harmless(run.key)} ${statusOf(run)}${took}${error}`;
}

export function generationsOf(pool: PoolView): string {
  return pool.generations
    .map(({ number, state }) => (state === 'serving' ? String(number) : `${number} ${state}`))
    .join(', ');
}

/** Why a pool does not serve, without its name, which stands beside it already. */
export function problemOf({ name, problem }: PoolView): string {
  const prefix = `pool ${name}: `;
  return harmless(problem?.startsWith(prefix) ? problem.slice(prefix.length) : (problem ?? ''));
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
