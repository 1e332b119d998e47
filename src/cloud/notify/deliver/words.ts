import type { Notice, NoticeJob, NoticeWhat } from '../notice.ts';
import type { IncidentKind } from '../observation.ts';

const NAMED = 20;

const VERBS: Record<IncidentKind, Record<NoticeWhat, string>> = {
  failed: { opened: 'failed', reminder: 'still failing', recovered: 'succeeded again' },
  late: { opened: 'late', reminder: 'still late', recovered: 'no longer late' },
  missed: { opened: 'did not run', reminder: 'still not running', recovered: 'running again' },
  too_long: {
    opened: 'running too long',
    reminder: 'still running too long',
    recovered: 'no longer running too long',
  },
};

/** `shop/report failed`, `12 jobs still late`. */
export function titleOf({ what, kind, jobs, more }: Notice): string {
  const total = totalOf({ jobs, more });
  const [first] = jobs;
  const who = total === 1 && first !== undefined ? first.job : `${total} jobs`;
  return `${who} ${VERBS[kind][what]}`;
}

/** A line for each job, and one for those that have no line. */
export function jobLines({ jobs, more }: Pick<Notice, 'jobs' | 'more'>, named: number = NAMED): string[] {
  const unnamed = totalOf({ jobs, more }) - Math.min(named, jobs.length);
  return [...jobs.slice(0, named).map(lineOf), ...(unnamed === 0 ? [] : [`and ${unnamed} more`])];
}

function lineOf({ job, count, sinceMs, runKey }: NoticeJob): string {
  const times = count === 1 ? '' : `${count} times `;
  const since = `since ${new Date(sinceMs)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC')}`;
  return `${job}: ${times}${since}${runKey === null ? '' : ` (run ${runKey})`}`;
}

function totalOf({ jobs, more }: Pick<Notice, 'jobs' | 'more'>): number {
  return more.reduce((sum, { count }) => sum + count, jobs.length);
}
