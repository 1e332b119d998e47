import { type RawBuilder, type SelectQueryBuilder, sql } from 'kysely';
import type { Access } from './access.ts';
import { pageSize, timeAndKey } from './page.ts';
import type { Database, Row } from './schema.ts';
import type { HostId, JobId, RunOutcome, RunState } from './vocabulary.ts';

export interface RunFilter {
  /** Null: all. */
  readonly projects?: readonly string[] | null;
  readonly jobId?: JobId;
  readonly hostId?: HostId;
  readonly outcome?: RunOutcome;
  readonly state?: RunState | 'active';
  readonly limit?: number;
  readonly cursor?: string;
}

export type RunRow = Row<'runs'> & { readonly jobName: string | null };

type RunQuery = SelectQueryBuilder<
  Database & { runs: Row<'runs'>; jobs: { id: JobId; name: string } },
  'runs' | 'jobs',
  RunRow
>;
type BareQuery = SelectQueryBuilder<Database, 'runs', Row<'runs'>>;

/** Of more projects than this at once the runs are not merged, but looked for among all, by age. */
const MAX_MERGED = 64;

/** Runs with the names of their jobs. */
export function selectRuns({ db }: Access): RunQuery {
  return withJobs(db.selectFrom('runs').selectAll('runs')) as never;
}

/**
 * One page of the list and a row more, newest first. Each part of it walks one index in its order and stops when the
 * page is full; what the index does not begin by is passed over on the way. Which one: `walkOf`.
 */
export function selectPage(access: Access, filter: RunFilter): RunQuery {
  const limit = pageSize(filter.limit) + 1;
  const parts = partsOf(filter).map((part) => narrowed(access, part));
  const [only = nothing(access)] = parts;
  const runs = parts.length > 1 ? merged(access, parts, limit) : only;
  return withJobs(newestFirst(runs).limit(limit)) as never;
}

/** What no index has in one order: those that have ended and those that have not; the runs of several projects. */
function partsOf(filter: RunFilter): readonly RunFilter[] {
  const { state, outcome } = filter;
  // Only what has ended has an outcome.
  if (isOfActive(state)) return outcome === undefined ? [filter] : [];
  const ended = endedPartsOf({ ...filter, state: 'ended' });
  return state === 'ended' || outcome !== undefined ? ended : [{ ...filter, state: 'active' }, ...ended];
}

function endedPartsOf(filter: RunFilter): readonly RunFilter[] {
  if (filter.projects == null) return [filter];
  const projects = [...new Set(filter.projects)];
  if (projects.length > MAX_MERGED || filter.jobId !== undefined) return [{ ...filter, projects }];
  return projects.map((project) => ({ ...filter, projects: [project] }));
}

function isOfActive(state: RunFilter['state']): boolean {
  return state !== undefined && state !== 'ended';
}

function merged(access: Access, parts: readonly BareQuery[], limit: number): BareQuery {
  const union = parts
    .map((part) => newestFirst(part).limit(limit))
    // SQLite takes no limit in a part of a union, but in a table of its own.
    .map((part) => access.db.selectFrom(part.as('part')).selectAll('part'))
    .reduce((all, part) => all.unionAll(part));
  return access.db.selectFrom(union.as('runs')).selectAll('runs') as never;
}

type Column = 'project' | 'job_id' | 'host_id' | 'outcome';

/** By which columns, before the time, the index begins that is walked. The one with the fewest runs. */
function walkOf({ hostId, jobId, outcome, projects }: RunFilter): readonly Column[] {
  // Of a host, those that did not succeed are fewer still than those of a job or of a project.
  if (hostId !== undefined && outcome !== undefined && outcome !== 'succeeded') return ['host_id', 'outcome'];
  if (hostId !== undefined && jobId !== undefined) return ['host_id', 'job_id'];
  const isOfOne = projects?.length === 1;
  if (hostId !== undefined) return isOfOne ? ['host_id', 'project'] : ['host_id'];
  if (jobId !== undefined) return ['job_id', 'outcome'];
  return isOfOne ? ['project', 'outcome'] : ['outcome'];
}

/** Of active ones only, or of ended ones only. */
function narrowed(access: Access, filter: RunFilter): BareQuery {
  const { db, engine } = access;
  const { projects, jobId, hostId, outcome, state, cursor } = filter;
  const isActive = isOfActive(state);
  const walked = walkOf(filter);
  const column = (name: Column): RawBuilder<unknown> =>
    walked.includes(name) ? sql.raw(`runs.${name}`) : engine.unguessed(`runs.${name}`);
  let query: BareQuery = db.selectFrom('runs').selectAll('runs');
  query = query.where('runs.endedMs', isActive ? 'is' : 'is not', null);
  if (projects?.length === 0) return nothing(access);
  if (projects != null) query = query.where(sql<boolean>`${column('project')} IN (${sql.join(projects)})`);
  if (jobId !== undefined) query = query.where(sql<boolean>`${column('job_id')} = ${jobId}`);
  if (hostId !== undefined) query = query.where(sql<boolean>`${column('host_id')} = ${hostId}`);
  if (outcome !== undefined) {
    query = query.where(sql<boolean>`${column('outcome')} = ${outcome}`);
    if (outcome !== 'succeeded' && !engine.infersConditions)
      query = query.where(sql<boolean>`runs.outcome <> 'succeeded'`);
  }
  if (isActive && state !== undefined && state !== 'active') {
    query = query.where('runs.state', '=', state);
    // No index has the state. This one has the host, which those have that wait no longer.
    if (state !== 'queued') query = query.where('runs.hostId', 'is not', null);
  }
  if (cursor !== undefined) {
    const [queuedMs, key] = timeAndKey(cursor);
    query = query.where(sql<boolean>`(runs.queued_ms, runs.key) < (${queuedMs}, ${key})`);
  }
  return query;
}

function nothing({ db }: Access): BareQuery {
  return db.selectFrom('runs').selectAll('runs').where(sql<boolean>`1 = 0`);
}

function newestFirst(query: BareQuery): BareQuery {
  return query.orderBy('runs.queuedMs', 'desc').orderBy('runs.key', 'desc');
}

function withJobs(query: BareQuery) {
  return query.leftJoin('jobs', 'jobs.id', 'runs.jobId').select('jobs.name as jobName');
}
