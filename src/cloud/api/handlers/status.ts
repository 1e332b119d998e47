import type { Status } from '../../../api/index.ts';
import type { Call, Cloud, Handler, Handlers } from '../context.ts';
import { ApiError } from '../errors.ts';

const DAY_MS = 86_400_000;

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

const restart: Handler<'restart'> = async ({ cloud, asker }) => {
  const { store, clock } = cloud;
  await store.audit.record({
    ...{ atMs: clock.nowMs(), who: asker.name, what: 'restart', target: 'server', detail: null },
  });
  await cloud.restart();
  return { ok: true };
};

export const statusHandlers = { status, pauseAll, resumeAll, restart } satisfies Partial<Handlers>;
