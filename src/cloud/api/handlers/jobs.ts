import { isDeepStrictEqual } from 'node:util';
import { Errors } from 'typebox/schema';
import type { Job, JobChange, JobVersion } from '../../../api/index.ts';
import { DocumentError } from '../../../document/index.ts';
import { type JobDefinition, parseJobs, timingOf } from '../../jobs/index.ts';
import { type Mistake, mistakesIn } from '../../leader/index.ts';
import { dueFrom, type Timing } from '../../scheduler/index.ts';
import type { Applied, AppliedJob } from '../../store/index.ts';
import { assertProject, projectsOf } from '../auth.ts';
import type { Call, Handler, Handlers } from '../context.ts';
import { ApiError, notFound, ofDocuments } from '../errors.ts';
import { fireView, jobView, runView } from '../views.ts';
import { secretOf, verify } from '../webhook.ts';

/** Fires that are shown before and after a change. */
const SHOWN_FIRES = 3;
const MAX_BACKFILL = 10_000;
const DAY_MS = 86_400_000;

type OfJob = Call<
  | 'getJob'
  | 'why'
  | 'ledger'
  | 'triggerJob'
  | 'backfillJob'
  | 'pauseJob'
  | 'resumeJob'
  | 'jobHistory'
  | 'rollbackJob'
  | 'deleteJob'
  | 'webhookOfJob'
>;

/** The job that is named, also one that is deleted. */
export async function jobOf({
  params,
  asker,
  cloud,
}: Pick<OfJob, 'params' | 'asker' | 'cloud'>): Promise<AppliedJob> {
  const what = `job ${params.project}/${params.name}`;
  assertProject(asker, params.project, what);
  const job = await cloud.store.jobs.find(params.project, params.name);
  if (job === null) throw notFound(what);
  return job;
}

async function presentJobOf(call: Pick<OfJob, 'params' | 'asker' | 'cloud'>): Promise<AppliedJob> {
  const job = await jobOf(call);
  if (job.deletedMs !== null) throw notFound(`job ${call.params.project}/${call.params.name} any more`);
  return job;
}

const applyJobs: Handler<'applyJobs'> = async (call) => {
  const { files, dry_run: dryRun = false, prune = false } = call.body;
  const errors: DocumentError[] = [];
  const definitions: JobDefinition[] = [];
  const places = new Map<string, string>();
  for (const { name, text } of files) {
    for (const definition of parsed(text, name, errors)) {
      const place = `${definition.project}/${definition.name}`;
      const other = places.get(place);
      if (other !== undefined) errors.push(wrong(name, `jobs.${definition.name}`, `is in ${other} as well`));
      places.set(place, name);
      definitions.push(definition);
    }
  }
  if (errors.length > 0) throw ofDocuments(errors);
  for (const { project } of definitions) assertProject(call.asker, project, `project ${project}`);
  const projects = [...new Set(definitions.map(({ project }) => project))];
  const applied = await apply(
    call,
    definitions,
    { prune: prune ? projects : [], dryRun },
    (job) => places.get(job) ?? '',
  );
  return { applied: !dryRun, jobs: changesOf(applied, call.cloud.clock.nowMs()) };
};

function parsed(text: string, name: string, errors: DocumentError[]): JobDefinition[] {
  try {
    return parseJobs(text, name);
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    errors.push(error);
    return [];
  }
}

function wrong(file: string, key: string, message: string): DocumentError {
  return new DocumentError(file, [{ line: 0, column: 0, key, message }]);
}

async function apply(
  { cloud, asker }: Pick<Call<'applyJobs'>, 'cloud' | 'asker'>,
  definitions: readonly JobDefinition[],
  { prune, dryRun }: { readonly prune: readonly string[]; readonly dryRun: boolean },
  fileOf: (place: string) => string,
): Promise<Applied> {
  const { leader } = cloud;
  const kept = [...leader.book.all].filter(({ project }) => !prune.includes(project));
  const others = kept.flatMap(({ definition }) => definition ?? []);
  const mistakes = mistakesIn(
    definitions,
    (project, name) => kept.some((each) => each.project === project && each.name === name),
    others,
  );
  if (mistakes.length > 0) throw ofDocuments(mistakes.map((each) => mistakeIn(each, definitions, fileOf)));
  const applied = await leader.apply(definitions, { by: asker.name, prune, dryRun });
  if (!dryRun) await note(cloud, asker, applied);
  return applied;
}

function mistakeIn(
  { job, key, message }: Mistake,
  definitions: readonly JobDefinition[],
  fileOf: (place: string) => string,
): DocumentError {
  const project = definitions.find(({ name }) => name === job)?.project ?? '';
  return wrong(fileOf(`${project}/${job}`), `jobs.${job}.${key}`, message);
}

async function note(
  { store, clock }: Call<'applyJobs'>['cloud'],
  asker: Call<'applyJobs'>['asker'],
  applied: Applied,
): Promise<void> {
  const names = (jobs: readonly { readonly project: string; readonly name: string }[]) =>
    jobs.slice(0, 100).map(({ project, name }) => `${project}/${name}`);
  const { created, changed } = applied.difference;
  const detail = {
    created: names(created),
    changed: names(changed.map(({ definition }) => definition)),
    removed: names(applied.removed.map(({ definition }) => definition)),
  };
  if (created.length + changed.length + applied.removed.length === 0) return;
  await store.audit.record({ atMs: clock.nowMs(), who: asker.name, what: 'apply', target: 'jobs', detail });
}

function changesOf({ difference, removed }: Applied, nowMs: number): JobChange[] {
  const gone = new Set(removed.map(({ definition }) => definition));
  const change = (
    definition: JobDefinition,
    kind: JobChange['change'],
    before: JobDefinition | null,
    after: JobDefinition | null,
    changes: JobChange['changes'] = [],
  ): JobChange => ({
    project: definition.project,
    name: definition.name,
    change: kind,
    changes,
    next_due_before: before === null ? [] : nextFires(timingOf(before), nowMs),
    next_due_after: after === null ? [] : nextFires(timingOf(after), nowMs),
  });
  return [
    ...difference.created.map((each) => change(each, 'created', null, each)),
    ...difference.changed.map(({ definition, changes }) =>
      change(definition, 'changed', formerOf(definition, [...changes]), definition, [...changes]),
    ),
    ...difference.superfluous.map((each) =>
      gone.has(each) ? change(each, 'removed', each, null) : change(each, 'superfluous', null, null),
    ),
    ...difference.unchanged.map((each) => change(each, 'unchanged', null, null)),
  ];
}

/** What it was, from what it is and what has changed. */
function formerOf(definition: JobDefinition, changes: JobChange['changes']): JobDefinition {
  return { ...definition, ...Object.fromEntries(changes.map(({ key, before }) => [key, before])) };
}

export function nextFires(timing: Timing, nowMs: number, count = SHOWN_FIRES): number[] {
  const all = timing.schedules.flatMap((schedule) => {
    const first: number[] = [];
    for (const at of dueFrom(schedule, nowMs + 1)) if (first.push(at) >= count) break;
    return first;
  });
  const { endMs } = timing;
  return [...new Set(all)]
    .filter((at) => (timing.startMs === null || at >= timing.startMs) && (endMs === null || at < endMs))
    .toSorted((a, b) => a - b)
    .slice(0, count);
}

const listJobs: Handler<'listJobs'> = async ({ query, asker, cloud }) => {
  const { items, next } = await cloud.store.jobs.page({
    ...query,
    projects: projectsOf(asker, query.project),
  });
  return { items: items.map((job) => jobView(cloud.leader, job)), next };
};

const getJob: Handler<'getJob'> = async (call) => {
  const job = await jobOf(call);
  return shown(call, job);
};

function shown(call: Pick<OfJob, 'setHeader' | 'cloud'>, job: AppliedJob): Job {
  call.setHeader('etag', etagOf(job));
  return jobView(call.cloud.leader, job);
}

function etagOf({ id, version }: AppliedJob): string {
  return `"${id}.${version}"`;
}

/** Throws where somebody has changed it meanwhile. */
function assertVersion({ headers }: Pick<OfJob, 'headers'>, job: AppliedJob | null): void {
  const wanted = headers['if-match'];
  if (wanted === undefined || wanted === '*') return;
  if (job !== null && wanted === etagOf(job)) return;
  throw new ApiError(412, 'changed_meanwhile', 'The job has another version by now', {
    detail: 'get it again, and make the change to that',
  });
}

const putJob: Handler<'putJob'> = async (call) => {
  const { params, body, asker, cloud } = call;
  assertProject(asker, params.project, `project ${params.project}`);
  const former = await cloud.store.jobs.find(params.project, params.name);
  assertVersion(call, former?.deletedMs === null ? former : null);
  const text = JSON.stringify({ project: params.project, jobs: { [params.name]: body } });
  await apply(call, parseJobs(text, 'body'), { prune: [], dryRun: false }, () => 'body');
  return shown(call, await presentJobOf(call));
};

const deleteJob: Handler<'deleteJob'> = async (call) => {
  const job = await presentJobOf(call);
  assertVersion(call, job);
  await call.cloud.leader.remove(job);
  await record(call, 'delete', job);
  return { ok: true };
};

async function record(
  { cloud, asker }: Pick<OfJob, 'cloud' | 'asker'>,
  what: string,
  { definition: { project, name } }: AppliedJob,
  detail: unknown = null,
): Promise<void> {
  await cloud.store.audit.record({
    ...{ atMs: cloud.clock.nowMs(), who: asker.name, what, target: `job ${project}/${name}`, detail },
  });
}

const jobHistory: Handler<'jobHistory'> = async (call) => {
  const { id } = await jobOf(call);
  const versions = await call.cloud.store.jobs.history(id);
  const items = versions.map(
    ({ version, appliedBy, appliedMs, definition }, i): JobVersion => ({
      version,
      applied_by: appliedBy,
      applied_ms: appliedMs,
      changes: changesBetween(versions[i - 1]?.definition ?? null, definition),
      definition: { ...definition },
    }),
  );
  return { items };
};

function changesBetween(before: JobDefinition | null, after: JobDefinition): JobVersion['changes'] {
  if (before === null) return [];
  return Object.entries(after).flatMap(([key, value]) => {
    const former: unknown = before[key as keyof JobDefinition];
    return isDeepStrictEqual(former, value) ? [] : [{ key, before: former ?? null, after: value }];
  });
}

const rollbackJob: Handler<'rollbackJob'> = async (call) => {
  const job = await jobOf(call);
  const versions = await call.cloud.store.jobs.history(job.id);
  const wanted = versions.find(({ version }) => version === call.body.version);
  if (wanted === undefined)
    throw new ApiError(
      404,
      'not_found',
      `The job has no version ${call.body.version}; it has 1 to ${versions.length}`,
    );
  await apply(call, [wanted.definition], { prune: [], dryRun: false }, () => 'history');
  await record(call, 'rollback', job, { version: call.body.version });
  return shown(call, await presentJobOf(call));
};

const pauseJob: Handler<'pauseJob'> = async (call) => {
  const job = await presentJobOf(call);
  const { until_ms: untilMs = null, reason = null } = call.body;
  const sinceMs = call.cloud.clock.nowMs();
  if (untilMs !== null && untilMs <= sinceMs)
    throw new ApiError(422, 'invalid_request', 'until_ms: that time has passed already');
  await call.cloud.leader.pauseJob(job.id, { sinceMs, untilMs, reason });
  await record(call, 'pause', job, call.body);
  return jobView(call.cloud.leader, await presentJobOf(call));
};

const resumeJob: Handler<'resumeJob'> = async (call) => {
  const job = await presentJobOf(call);
  await call.cloud.leader.pauseJob(job.id, null);
  await record(call, 'resume', job);
  return jobView(call.cloud.leader, await presentJobOf(call));
};

const triggerJob: Handler<'triggerJob'> = async (call) => {
  const job = await presentJobOf(call);
  const { params, key, priority } = call.body;
  checkParams(job.definition, params);
  const cause = { kind: 'api', ref: call.asker.name } as const;
  const started = await call.cloud.leader.trigger(job, {
    params,
    priority,
    cause,
    key: key ?? call.runKey ?? undefined,
  });
  if (started.isNew) await record(call, 'trigger', job, { run: started.key });
  return await runOf(call, started.key, job);
};

/** The run of a key that was given: of this job, or it was used for something else. */
async function runOf({ cloud }: Pick<OfJob, 'cloud'>, key: string, { id }: AppliedJob) {
  const run = await cloud.store.runs.get(key as never);
  if (run === null) throw notFound(`run ${key}`);
  if (run.jobId !== id) throw new ApiError(409, 'key_in_use', `The key ${key} is that of another run`);
  return runView(cloud.leader, run);
}

/** Throws where they don't fit the job. */
function checkParams(
  { run, params_schema: schema, name }: JobDefinition,
  params: readonly unknown[] | undefined,
): void {
  if (params !== undefined && !('class' in run))
    throw new ApiError(
      422,
      'invalid_params',
      `${name} runs a command, which takes no params: its arguments stand in argv`,
    );
  if (schema === null || !('class' in run)) return;
  const [fits, errors] = Errors(schema, params ?? run.params);
  if (fits) return;
  const [first] = errors;
  const place = first === undefined || first.instancePath === '' ? 'params' : `params${first.instancePath}`;
  throw new ApiError(422, 'invalid_params', `${place}: ${first?.message ?? 'does not fit the schema'}`, {
    detail: `${name} has a params_schema; see its definition`,
  });
}

const backfillJob: Handler<'backfillJob'> = async (call) => {
  const job = await presentJobOf(call);
  const { from_ms: fromMs, to_ms: toMs, parallel = 1, dry_run: dryRun = false } = call.body;
  const count = dueCount(timingOf(job.definition), fromMs, toMs);
  if (count > MAX_BACKFILL)
    throw new ApiError(
      422,
      'too_many',
      `It is due more than ${MAX_BACKFILL} times in that period: do it in parts`,
    );
  const { due, created } = await call.cloud.leader.backfill(job, { fromMs, toMs, parallel, dryRun });
  if (!dryRun) await record(call, 'backfill', job, { ...call.body, created });
  return { due: [...due], created };
};

/** Not all of them, where they are too many. */
function dueCount(timing: Timing, fromMs: number, toMs: number): number {
  let count = 0;
  for (const schedule of timing.schedules)
    for (const at of dueFrom(schedule, fromMs)) if (at >= toMs || ++count > MAX_BACKFILL) break;
  return count;
}

const ledger: Handler<'ledger'> = async (call) => {
  const { id } = await jobOf(call);
  const {
    from_ms: fromMs = 0,
    to_ms: untilMs = call.cloud.clock.nowMs() + DAY_MS,
    order = 'desc',
    ...page
  } = call.query;
  const { items, next } = await call.cloud.store.ledger.list(id, { fromMs, untilMs, order, ...page });
  return { items: items.map(fireView), next };
};

const webhookOfJob: Handler<'webhookOfJob'> = async (call) => {
  const { id, definition } = await presentJobOf(call);
  if (!definition.webhook)
    throw new ApiError(409, 'no_webhook', `${definition.name} can't be started by a webhook`, {
      detail: 'say `webhook: true` in its definition',
    });
  const secret = await secretOf(call.cloud.store, id);
  return { path: `/api/v1/hooks/${definition.project}/${definition.name}`, secret };
};

const hook: Handler<'hook'> = async (call) => {
  const { params, cloud, headers, raw, body } = call;
  const job = await cloud.store.jobs.find(params.project, params.name);
  const refused = new ApiError(
    401,
    'unauthorized',
    'The request is not signed as it has to be (docs/api.md)',
  );
  if (job === null || job.deletedMs !== null || !job.definition.webhook) throw refused;
  const messageId = verify(await secretOf(cloud.store, job.id), headers, raw, cloud.clock.nowMs());
  if (messageId === null) throw refused;
  const { definition } = job;
  const given = 'class' in definition.run ? [body] : undefined;
  checkParams(definition, given);
  const cause = { kind: 'webhook', ref: messageId } as const;
  // Who delivers may do so several times: by its id a message is taken once.
  const { key } = await cloud.leader.trigger(job, {
    params: given,
    cause,
    key: `hook-${job.id}-${messageId}`,
  });
  return { key };
};

export const jobHandlers = {
  applyJobs,
  listJobs,
  getJob,
  putJob,
  deleteJob,
  jobHistory,
  rollbackJob,
  pauseJob,
  resumeJob,
  triggerJob,
  backfillJob,
  ledger,
  webhookOfJob,
  hook,
} satisfies Partial<Handlers>;
