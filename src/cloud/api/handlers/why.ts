import { formatDuration } from '../../../document/index.ts';
import { timingOf } from '../../jobs/index.ts';
import type { AppliedJob, LedgerEntry, RunRecord } from '../../store/index.ts';
import { explain, type Facts, type RunFacts } from '../../why/index.ts';
import type { Cloud, Handler, Handlers } from '../context.ts';
import { ApiError } from '../errors.ts';
import { fireView, hostName, jobView, runView, waitsText } from '../views.ts';
import { jobOf, nextFires } from './jobs.ts';

const RECENT = 5;
const OTHERS = 3;

const why: Handler<'why'> = async (call) => {
  const { cloud, query } = call;
  const { store, leader, clock } = cloud;
  const time = timeIn(query.timezone);
  const job = await jobOf(call);
  const nowMs = clock.nowMs();
  const atMs = query.at_ms ?? null;
  const recent = await store.ledger.list(job.id, {
    fromMs: 0,
    untilMs: (atMs ?? nowMs) + 1,
    order: 'desc',
    limit: RECENT,
  });
  const fire = atMs === null ? (recent.items[0] ?? null) : await store.ledger.get(job.id, atMs);
  const run = fire?.became.verdict === 'run' ? await store.runs.get(fire.became.runKey) : null;
  const definition = atMs === null ? job.definition : await inForce(cloud, job, atMs);
  const others = await othersOf(cloud, job, fire, run);
  const timing = timingOf(definition);
  const text = explain(
    {
      name: `${definition.project}/${definition.name}`,
      nowMs,
      createdMs: job.createdMs,
      deletedMs: job.deletedMs,
      pause: job.pause,
      pauseOfAll: leader.pauseOfAll,
      timing,
      schedule: definition.schedule.map((each) => scheduleText(each, time)),
      after: definition.after,
      instances: atMs === null ? leader.instances.viewOf(job.id) : null,
      fire,
      run: run === null ? null : factsOf(cloud, run, time),
      others: others.map((each) => factsOf(cloud, each, time)),
      time,
    },
    atMs,
  );
  return {
    text,
    job: jobView(leader, job),
    fire: fire === null ? null : fireView(fire),
    run: run === null ? null : runView(leader, run),
    recent: recent.items.map(fireView),
    next_due: job.deletedMs === null ? nextFires(timing, nowMs) : [],
  };
};

/** Those that have not ended, the ones that have begun first; where there are none, the latest one, if that came after the fire. */
async function othersOf(
  { store, leader }: Cloud,
  { id: jobId }: AppliedJob,
  fire: LedgerEntry | null,
  run: RunRecord | null,
): Promise<RunRecord[]> {
  const { begun, waiting } = leader.dispatcher.ongoing(jobId);
  const keys = [...begun, ...waiting].filter((key) => key !== run?.key).slice(0, OTHERS);
  const others = await store.runs.many(keys);
  if (others.length > 0) return others.toSorted((a, b) => keys.indexOf(a.key) - keys.indexOf(b.key));
  const { items } = await store.runs.list({ jobId, limit: 1 });
  return items.filter(({ key, queuedMs }) => key !== run?.key && queuedMs > (fire?.decidedMs ?? 0));
}

function factsOf({ leader }: Cloud, run: RunRecord, time: Facts['time']): RunFacts {
  const waits = leader.dispatcher.waitsFor(run.key);
  return {
    run,
    waitsFor: waits === null ? null : waitsText(leader, waits, time),
    hostName: hostName(leader, run.hostId),
  };
}

/** The definition that a job had at a time. */
async function inForce({ store }: Cloud, job: AppliedJob, atMs: number): Promise<AppliedJob['definition']> {
  if (atMs >= job.updatedMs) return job.definition;
  const versions = await store.jobs.history(job.id);
  return versions.findLast(({ appliedMs }) => appliedMs <= atMs)?.definition ?? job.definition;
}

function scheduleText(schedule: AppliedJob['definition']['schedule'][number], time: Facts['time']): string {
  if ('cron' in schedule) return `"${schedule.cron}" in ${schedule.timezone}`;
  if ('at_ms' in schedule) return `the one time ${time(schedule.at_ms)}`;
  return `every ${formatDuration(schedule.every_ms)}`;
}

/** As the clocks of a zone show it; without one in UTC, and as it is written for programs. */
function timeIn(timeZone: string | undefined): Facts['time'] {
  if (timeZone === undefined) return (ms) => new Date(ms).toISOString().replace('.000Z', 'Z');
  try {
    // Sweden writes 2026-01-31 12:00:00.
    const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
    return (ms) => format.format(ms);
  } catch {
    throw new ApiError(422, 'invalid_request', `timezone: there is no time zone ${timeZone}`, {
      detail: 'it has to be a name of the tz database, such as Europe/Berlin or UTC',
    });
  }
}

export const whyHandlers = { why } satisfies Partial<Handlers>;
