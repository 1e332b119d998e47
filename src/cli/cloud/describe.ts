import type { Fire, Run } from '../../api/index.ts';
import { formatDuration } from '../duration.ts';
import { harmless, type Style } from '../terminal.ts';

// Runs, fires and times of the cloud in words for people.

export function localTime(ms: number): string {
  const date = new Date(ms);
  const two = (n: number) => String(n).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export function ago(ms: number | null, nowMs: number): string {
  if (ms === null) return '';
  return ms > nowMs ? `in ${formatDuration(ms - nowMs)}` : `${formatDuration(nowMs - ms)} ago`;
}

export function jobOf({ project, job, class: ofClass, argv }: Run): string {
  return harmless(job === null ? (ofClass ?? (argv ?? []).join(' ')) : `${project}/${job}`);
}

export function statusOf({ state, outcome, code, signal, waits_for: waits }: Run): string {
  if (outcome === null) return waits === null ? state : `${state}: ${harmless(waits.text)}`;
  const words = outcome.replace('_', ' ');
  if (outcome === 'killed' && signal !== null) return `${words} (${harmless(signal)})`;
  return outcome === 'failed' && code !== null ? `${words} (${code})` : words;
}

export function styleOf({ outcome }: Run): Style {
  if (outcome === null) return 'cyan';
  if (outcome === 'succeeded') return 'green';
  return outcome === 'cancelled' ? 'yellow' : 'red';
}

export function tookOf({ started_ms: started, ended_ms: ended }: Run, nowMs: number): string {
  return started === null ? '' : formatDuration((ended ?? nowMs) - started);
}

export function fireText({ verdict, reason, detail }: Fire): string {
  if (verdict === 'run') return 'run';
  return `skipped: ${reason}${detail === null ? '' : ` (${harmless(detail)})`}`;
}
