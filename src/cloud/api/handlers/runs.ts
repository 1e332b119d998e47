import { randomUUID } from 'node:crypto';
import { type RunRequest, type RunSpec, specOf } from '../../dispatch/index.ts';
import { definitionOf } from '../../jobs/index.ts';
import type { HostId, JobId, RunKey, RunRecord } from '../../store/index.ts';
import { uuidV5 } from '../../store/index.ts';
import { assertProject, projectsOf } from '../auth.ts';
import type { Call, Handler, Handlers } from '../context.ts';
import { ApiError, notFound } from '../errors.ts';
import { attemptView, runView } from '../views.ts';

const MAX_RERUNS = 1_000;
/** Any UUID: the namespace of keys of runs that are made again in bulk. */
const RERUNS = '3c0f0a52-4c44-4f5e-9a59-0d1c8a3b5b1e';
const DEFAULT_PROJECT = 'default';

type OfRun = Pick<Call<'getRun'>, 'params' | 'asker' | 'cloud'>;

export async function recordOf({ params, asker, cloud }: OfRun): Promise<RunRecord> {
  const what = `run ${params.key}`;
  const run = await cloud.store.runs.get(params.key as RunKey);
  if (run === null) throw notFound(what);
  assertProject(asker, run.project, what);
  return run;
}

const listRuns: Handler<'listRuns'> = async ({ query, asker, cloud }) => {
  const { project, job, host, outcome, state, ...page } = query;
  const filter = {
    projects: projectsOf(asker, project),
    ...(outcome === undefined ? {} : { outcome }),
    ...(state === undefined ? {} : { state }),
    ...(job === undefined
      ? {}
      : { jobId: await jobIdOf(cloud, project ?? asker.project ?? DEFAULT_PROJECT, job) }),
    ...(host === undefined ? {} : { hostId: await hostIdOf(cloud, host) }),
    ...page,
  };
  const { items, next } = await cloud.store.runs.list(filter);
  return { items: items.map((record) => runView(cloud.leader, record)), next };
};

async function jobIdOf(cloud: OfRun['cloud'], project: string, name: string): Promise<JobId> {
  const job = await cloud.store.jobs.find(project, name);
  if (job === null) throw notFound(`job ${project}/${name}`);
  return job.id;
}

async function hostIdOf(cloud: OfRun['cloud'], name: string): Promise<HostId> {
  const host = (await cloud.store.hosts.list()).find((each) => each.name === name || each.id === name);
  if (host === undefined) throw notFound(`host ${name}`);
  return host.id;
}

const createRun: Handler<'createRun'> = async ({ body, asker, cloud, runKey }) => {
  const request = requestOf(runKey === null ? body : { key: runKey, ...body }, asker, cloud);
  const isNew = await cloud.leader.dispatcher.add(request);
  const record = await recordOf({ params: { key: request.key }, asker, cloud });
  if (!isNew) assertSame(record, request.spec);
  return runView(cloud.leader, record);
};

/** All of them are taken, or none: what is wrong with one is told before any is made. */
const createRuns: Handler<'createRuns'> = async ({ body, asker, cloud }) => {
  const requests = body.runs.map((each) => requestOf(each, asker, cloud));
  cloud.leader.dispatcher.assertRoom(requests.length);
  const created = await Promise.all(requests.map((request) => cloud.leader.dispatcher.add(request)));
  return { runs: requests.map(({ key }, i) => ({ key, created: created[i] === true })) };
};

type NewRun = Call<'createRun'>['body'];

/** By the same rules as a job, and with the same defaults. */
function requestOf(body: NewRun, asker: OfRun['asker'], cloud: OfRun['cloud']): RunRequest {
  const {
    project = asker.project ?? DEFAULT_PROJECT,
    key,
    priority = 0,
    timeout_ms: timeoutMs,
    pool,
    labels,
    ...what
  } = body;
  assertProject(asker, project, `project ${project}`);
  const job = {
    pool,
    ...what,
    ...(labels === undefined ? {} : { labels }),
    ...(timeoutMs === undefined ? {} : { timeout: `${timeoutMs}ms` }),
  };
  const nowMs = cloud.clock.nowMs();
  return {
    key: (key ?? randomUUID()) as RunKey,
    jobId: null,
    job: null,
    jobVersion: null,
    project,
    pool,
    spec: specOf(definitionOf(project, job)),
    cause: { kind: 'api', ref: asker.name },
    priority,
    queuedMs: nowMs,
    dueMs: null,
    notBeforeMs: nowMs,
  };
}

/** A key that is used again means the same run. */
function assertSame({ key, spec }: RunRecord, wanted: RunSpec): void {
  if (JSON.stringify((spec as RunSpec).run) === JSON.stringify(wanted.run)) return;
  throw new ApiError(409, 'key_in_use', `The key ${key} is that of another run`);
}

const getRun: Handler<'getRun'> = async (call) => {
  const record = await recordOf(call);
  const { leader, store } = call.cloud;
  const attempts = record.attempt > 1 ? await store.runs.formerAttempts(record.key) : [];
  return { run: runView(leader, record), attempts: attempts.map((each) => attemptView(leader, each)) };
};

const cancelRun: Handler<'cancelRun'> = async (call) => {
  const record = await recordOf(call);
  const { leader, store, clock } = call.cloud;
  if (!leader.dispatcher.cancel(record.key, call.asker.name) && record.state === 'ended')
    throw new ApiError(409, 'ended', `The run ${record.key} has ended already`);
  await leader.commits.flush();
  await store.audit.record({
    ...{
      atMs: clock.nowMs(),
      who: call.asker.name,
      what: 'cancel',
      target: `run ${record.key}`,
      detail: null,
    },
  });
  return runView(leader, await recordOf(call));
};

const rerunRun: Handler<'rerunRun'> = async (call) => {
  const record = await recordOf(call);
  const key = await rerun(call, record, call.runKey ?? undefined);
  return runView(call.cloud.leader, await recordOf({ ...call, params: { key } }));
};

async function rerun(
  { cloud, asker }: Pick<OfRun, 'cloud' | 'asker'>,
  record: RunRecord,
  key?: string,
): Promise<RunKey> {
  const made = await cloud.leader.rerun(record, { key });
  await cloud.store.audit.record({
    ...{
      atMs: cloud.clock.nowMs(),
      who: asker.name,
      what: 'rerun',
      target: `run ${record.key}`,
      detail: { run: made },
    },
  });
  return made;
}

/** Those that ended badly, each once: the same request again makes none anew. */
const rerunRuns: Handler<'rerunRuns'> = async (call) => {
  const { body, asker, cloud } = call;
  const jobId =
    body.job === undefined
      ? null
      : await jobIdOf(cloud, body.project ?? asker.project ?? DEFAULT_PROJECT, body.job);
  const found: RunRecord[] = [];
  for (const outcome of ['failed', 'killed', 'timed_out', 'lost'] as const) {
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await cloud.store.runs.list({
        projects: projectsOf(asker, body.project),
        ...(jobId === null ? {} : { jobId }),
        ...(cursor === undefined ? {} : { cursor }),
        outcome,
        limit: 500,
      });
      const recent = page.items.filter(({ queuedMs }) => queuedMs >= body.since_ms);
      found.push(...recent);
      if (found.length > MAX_RERUNS)
        throw new ApiError(
          422,
          'too_many',
          `More than ${MAX_RERUNS} runs ended badly since then: take a shorter time, or one job`,
        );
      cursor = recent.length < page.items.length ? null : page.next;
    }
  }
  const runs: { former: string; key: string }[] = [];
  for (const record of found) {
    const key = uuidV5(RERUNS, `${record.key}`);
    if (body.dry_run !== true) await rerun(call, record, key);
    runs.push({ former: record.key, key });
  }
  return { runs };
};

export const runHandlers = {
  listRuns,
  createRun,
  createRuns,
  getRun,
  cancelRun,
  rerunRun,
  rerunRuns,
} satisfies Partial<Handlers>;
