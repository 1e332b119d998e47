import type { Attempt, Fire, Job, Run, Status } from '../../api/index.ts';
import { formatDuration as durationOfFile } from '../../document/index.ts';
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

export function statusOf(run: Run): string {
  const { state, outcome, waits_for: waits, not_before_ms: notBefore } = run;
  if (outcome !== null) return outcomeOf({ ...run, outcome });
  if (waits === null) return state;
  // The cloud does not know our clocks.
  return `${state}: ${harmless(waits.text).replace(new Date(notBefore).toISOString(), localTime(notBefore))}`;
}

/** How a run or one of its attempts has ended. */
export function outcomeOf({ outcome, code, signal }: Pick<Attempt, 'outcome' | 'code' | 'signal'>): string {
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

/** When a job is due, as somebody would write it. */
export function scheduleText({ definition: { schedule, instances } }: Pick<Job, 'definition'>): string {
  const times = (schedule as readonly Scheduled[]).map((each) => {
    if ('cron' in each) return `${each.cron} ${each.timezone}`;
    if ('at_ms' in each) return `at ${localTime(each.at_ms)}`;
    const offset = each.offset_ms === 0 ? '' : ` + ${durationOfFile(each.offset_ms)}`;
    return `every ${durationOfFile(each.every_ms)}${offset}`;
  });
  if (instances !== null && instances !== undefined) {
    const { min, max } = instances as { readonly min: number; readonly max: number };
    times.push(min === max ? `${max} instances` : `${min} to ${max} instances`);
  }
  return harmless(times.join('; '));
}

type Scheduled =
  | { readonly cron: string; readonly timezone: string }
  | { readonly every_ms: number; readonly offset_ms: number }
  | { readonly at_ms: number };

/** How the instances of a job stand. */
export function instancesText(view: NonNullable<Job['instances']>): string {
  const { wanted, present, backlog, backlog_error: error, slowed_until_ms: slowedMs } = view;
  const parts = [`${present} of ${wanted} there`];
  if (backlog !== null) parts.push(`backlog ${backlog}`);
  if (error !== null) parts.push(`backlog unreadable: ${harmless(error)}`);
  if (slowedMs !== null) parts.push(`they end at once: none before ${localTime(slowedMs)}`);
  return parts.join(', ');
}

export function pauseText(pause: NonNullable<Job['pause'] | Status['pause']>): string {
  const until = pause.until_ms === null ? '' : ` until ${localTime(pause.until_ms)}`;
  return `paused${until}${pause.reason === null ? '' : `: ${harmless(pause.reason)}`}`;
}
