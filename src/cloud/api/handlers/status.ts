import type { Status } from '../../../api/index.ts';
import { timingOf } from '../../jobs/index.ts';
import { explain } from '../../why/index.ts';
import type { Call, Cloud, Handler, Handlers } from '../context.ts';
import { ApiError } from '../errors.ts';
import { fireView, hostName, jobView, runView, waitsText } from '../views.ts';
import { jobOf, nextFires } from './jobs.ts';

const DAY_MS = 86_400_000;
const RECENT = 5;

async function statusOf({ version, startedMs, store, leader, clock }: Cloud): Promise<Status> {
  const pause = leader.pauseOfAll;
  const hosts = [...leader.dispatcher.hosts.all];
  return {
    version,
    started_ms: startedMs,
    leader: true,
    store: store.place,
    jobs: leader.book.size,
    hosts: hosts.length,
    hosts_connected: hosts.filter(({ contact }) => contact === 'connected').length,
    queued: leader.dispatcher.queuedCount,
    active: leader.dispatcher.activeCount,
    outcomes_24h: await store.runs.outcomesSince(clock.nowMs() - DAY_MS),
    pause: pause === null ? null : { since_ms: pause.sinceMs, until_ms: pause.untilMs, reason: pause.reason },
  };
}

const status: Handler<'status'> = ({ cloud }) => statusOf(cloud);

const pauseAll: Handler<'pauseAll'> = async (call) => {
  const { cloud, body } = call;
  const sinceMs = cloud.clock.nowMs();
  const { until_ms: untilMs = null, reason = null } = body;
  if (untilMs !== null && untilMs <= sinceMs)
    throw new ApiError(422, 'invalid_request', 'until_ms: that time has passed already');
  await cloud.leader.pauseEverything({ sinceMs, untilMs, reason });
  await note(call, 'pause', body);
  return await statusOf(cloud);
};

const resumeAll: Handler<'resumeAll'> = async (call) => {
  await call.cloud.leader.pauseEverything(null);
  await note(call, 'resume', null);
  return await statusOf(call.cloud);
};

async function note(
  { cloud, asker }: Pick<Call<'pauseAll'>, 'cloud' | 'asker'>,
  what: string,
  detail: unknown,
): Promise<void> {
  await cloud.store.audit.record({
    atMs: cloud.clock.nowMs(),
    who: asker.name,
    what,
    target: 'all jobs',
    detail,
  });
}

const why: Handler<'why'> = async (call) => {
  const { cloud, query } = call;
  const { store, leader, clock } = cloud;
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
  const waits = run === null ? null : leader.dispatcher.waitsFor(run.key);
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
      schedule: definition.schedule.map(scheduleText),
      fire,
      run,
      waitsFor: waits === null ? null : waitsText(leader, waits),
      hostName: run === null ? null : hostName(leader, run.hostId),
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

type AppliedJob = Awaited<ReturnType<typeof jobOf>>;

/** The definition that a job had at a time. */
async function inForce({ store }: Cloud, job: AppliedJob, atMs: number): Promise<AppliedJob['definition']> {
  if (atMs >= job.updatedMs) return job.definition;
  const versions = await store.jobs.history(job.id);
  return versions.findLast(({ appliedMs }) => appliedMs <= atMs)?.definition ?? job.definition;
}

function scheduleText(schedule: AppliedJob['definition']['schedule'][number]): string {
  if ('cron' in schedule) return `"${schedule.cron}" in ${schedule.timezone}`;
  if ('at_ms' in schedule) return `the one time ${new Date(schedule.at_ms).toISOString()}`;
  return `every ${schedule.every_ms / 1000} s`;
}

export const statusHandlers = { status, pauseAll, resumeAll, why } satisfies Partial<Handlers>;
