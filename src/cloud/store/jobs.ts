import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { sql } from 'kysely';
import { type Difference, differenceOf, type JobDefinition } from '../jobs/index.ts';
import type { Access } from './access.ts';
import { type Page, pageOf, pageSize, twoTexts } from './page.ts';
import type { Row } from './schema.ts';
import { fromJson, storable, toJson } from './text.ts';
import type { JobId } from './vocabulary.ts';

/** `untilMs`: null while nobody has resumed it. */
export interface JobPause {
  readonly sinceMs: number;
  readonly untilMs: number | null;
  readonly reason: string | null;
}

export interface AppliedJob {
  readonly id: JobId;
  readonly version: number;
  readonly definition: JobDefinition;
  readonly updatedMs: number;
  readonly createdMs: number;
  readonly deletedMs: number | null;
  readonly pause: JobPause | null;
}

export interface JobVersion {
  readonly id: JobId;
  readonly version: number;
  readonly definition: JobDefinition;
  readonly appliedBy: string;
  readonly appliedMs: number;
}

export interface ApplyOptions {
  readonly by: string;
  readonly nowMs: number;
  /** Projects whose jobs that are not among the definitions are deleted. */
  readonly prune: readonly string[];
  /** What would change is told, and nothing is. */
  readonly dryRun: boolean;
}

/** Rows at a time. */
const SLICE = 500;

const COLUMNS = [
  'id',
  'version',
  'definition',
  'createdMs',
  'updatedMs',
  'deletedMs',
  'pausedSinceMs',
  'pausedUntilMs',
  'pauseReason',
] as const;

/** What an apply did, or with `dryRun` would do. */
export interface Applied {
  readonly difference: Difference;
  /** Created or changed, as they are now; none with `dryRun`. */
  readonly jobs: readonly AppliedJob[];
  readonly removed: readonly AppliedJob[];
}

/** Jobs and the history of their definitions. */
export class Jobs {
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  /**
   * Makes the jobs of the projects that are named what the definitions say, all of it or nothing. A job that was deleted
   * and comes again is another one, with a history of its own.
   */
  async apply(definitions: readonly JobDefinition[], options: ApplyOptions): Promise<Applied> {
    const projects = [
      ...new Set([...definitions.map(({ project }) => project), ...options.prune]),
    ].toSorted();
    return await this.#access.atomically(async (access) => {
      if (!options.dryRun) await lockProjects(access, projects, options.nowMs);
      const present = await presentJobs(access, projects);
      const difference = differenceOf(
        present.map(({ definition }) => definition),
        definitions,
      );
      const byName = new Map(present.map((job) => [nameOf(job.definition), job]));
      const removed = difference.superfluous
        .filter(({ project }) => options.prune.includes(project))
        .flatMap((definition) => byName.get(nameOf(definition)) ?? []);
      if (options.dryRun) return { difference, jobs: [], removed };
      const jobs: AppliedJob[] = [];
      for (const definition of difference.created) jobs.push(await create(access, definition, options));
      for (const { definition } of difference.changed) {
        const former = byName.get(nameOf(definition));
        if (former !== undefined) jobs.push(await change(access, former, definition, options));
      }
      const ids = removed.map(({ id }) => id);
      await remove(access, ids, options.nowMs);
      return { difference, jobs, removed };
    });
  }

  /** All jobs that are not deleted, by project and name. */
  async list(): Promise<AppliedJob[]> {
    return await presentJobs(this.#access, null);
  }

  /** By name; the one that is deleted last, where none is there. */
  async find(project: string, name: string): Promise<AppliedJob | null> {
    const named = this.#access.db
      .selectFrom('jobs')
      .select(COLUMNS)
      .where('project', '=', project)
      .where('name', '=', name);
    const row =
      (await named.where('deletedMs', 'is', null).executeTakeFirst()) ??
      (await named.where('deletedMs', 'is not', null).orderBy('createdMs', 'desc').executeTakeFirst());
    return row === undefined ? null : parse(row);
  }

  async get(id: JobId): Promise<AppliedJob | null> {
    const row = await this.#access.db
      .selectFrom('jobs')
      .select(COLUMNS)
      .where('id', '=', id)
      .executeTakeFirst();
    return row === undefined ? null : parse(row);
  }

  async many(ids: readonly JobId[]): Promise<AppliedJob[]> {
    if (ids.length === 0) return [];
    const rows = await this.#access.db.selectFrom('jobs').select(COLUMNS).where('id', 'in', ids).execute();
    return rows.map(parse);
  }

  /** All that are not deleted, a part at a time, for whoever wants no list of all of them. */
  async *each(): AsyncGenerator<AppliedJob, void, void> {
    for (let after = ''; ; ) {
      const rows = await this.#access.db
        .selectFrom('jobs')
        .select(COLUMNS)
        .where('deletedMs', 'is', null)
        .where('id', '>', after as JobId)
        .orderBy('id')
        .limit(SLICE)
        .execute();
      yield* rows.map(parse);
      // SQLite answers within the turn, and others want one meanwhile.
      await nextTurn();
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last.id;
    }
  }

  /** Those that were deleted from then on. */
  async deletedSince(sinceMs: number): Promise<AppliedJob[]> {
    const rows = await this.#access.db
      .selectFrom('jobs')
      .select(COLUMNS)
      .where('deletedMs', '>=', sinceMs)
      .execute();
    return rows.map(parse);
  }

  /** It is not due any more; its runs and its history stay. */
  async remove(id: JobId, nowMs: number): Promise<void> {
    await remove(this.#access, [id], nowMs);
  }

  /** Null: it goes on. */
  async setPause(id: JobId, pause: JobPause | null): Promise<void> {
    await this.#access.db
      .updateTable('jobs')
      .set({
        pausedSinceMs: pause?.sinceMs ?? null,
        pausedUntilMs: pause?.untilMs ?? null,
        pauseReason: storable(pause?.reason ?? null),
      })
      .where('id', '=', id)
      .execute();
  }

  /** By project and name; of names those that hold a text. `projects`: null: all. */
  async page(filter: {
    readonly projects: readonly string[] | null;
    readonly q?: string | undefined;
    readonly limit?: number | undefined;
    readonly cursor?: string | undefined;
  }): Promise<Page<AppliedJob>> {
    const limit = pageSize(filter.limit);
    let query = this.#access.db
      .selectFrom('jobs')
      .select([...COLUMNS, 'project', 'name'])
      .where('deletedMs', 'is', null);
    if (filter.projects?.length === 0) return { items: [], next: null };
    if (filter.projects !== null) query = query.where('project', 'in', filter.projects);
    if (filter.q !== undefined) {
      const pattern = `%${filter.q.toLowerCase().replaceAll(/[\\%_]/g, (c) => `\\${c}`)}%`;
      query = query.where(sql<boolean>`search LIKE ${pattern} ESCAPE '\\'`);
    }
    if (filter.cursor !== undefined) {
      const [project, name] = twoTexts(filter.cursor);
      query = query.where(sql<boolean>`(project, name) > (${project}, ${name})`);
    }
    const rows = await query
      .orderBy('project')
      .orderBy('name')
      .limit(limit + 1)
      .execute();
    return pageOf(
      rows,
      limit,
      ({ project: _project, name: _name, ...row }) => parse(row),
      (row) => [row.project, row.name],
    );
  }

  /** All definitions that a job has had, in order; also of one that is deleted. */
  async history(id: JobId): Promise<JobVersion[]> {
    const rows = await this.#access.db
      .selectFrom('jobVersions')
      .selectAll()
      .where('jobId', '=', id)
      .orderBy('version')
      .execute();
    return rows.map(({ jobId, version, definition, appliedBy, appliedMs }) => ({
      id: jobId,
      version,
      definition: fromJson<JobDefinition>(definition),
      appliedBy,
      appliedMs,
    }));
  }
}

function nameOf({ project, name }: JobDefinition): string {
  return `${project}/${name}`;
}

/** Who applies to the same project waits; the order of names keeps two from waiting for each other. */
async function lockProjects(access: Access, projects: readonly string[], nowMs: number): Promise<void> {
  if (projects.length === 0) return;
  await access.db
    .insertInto('projects')
    .values(projects.map((name) => ({ name, createdMs: nowMs })))
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  const query = access.db.selectFrom('projects').select('name').where('name', 'in', projects).orderBy('name');
  await access.locked(query).execute();
}

async function presentJobs(access: Access, projects: readonly string[] | null): Promise<AppliedJob[]> {
  if (projects?.length === 0) return [];
  let query = access.db.selectFrom('jobs').select(COLUMNS).where('deletedMs', 'is', null);
  if (projects !== null) query = query.where('project', 'in', projects);
  const rows = await query.orderBy('project').orderBy('name').execute();
  return rows.map(parse);
}

function parse(row: Pick<Row<'jobs'>, (typeof COLUMNS)[number]>): AppliedJob {
  const { definition, pausedSinceMs, pausedUntilMs, pauseReason, ...rest } = row;
  return {
    ...rest,
    definition: fromJson<JobDefinition>(definition),
    pause:
      pausedSinceMs === null ? null : { sinceMs: pausedSinceMs, untilMs: pausedUntilMs, reason: pauseReason },
  };
}

async function create(access: Access, definition: JobDefinition, options: ApplyOptions): Promise<AppliedJob> {
  const id = randomUUID() as JobId;
  const { project, name } = definition;
  await access.db
    .insertInto('jobs')
    .values({
      id,
      project,
      name,
      search: name.toLowerCase(),
      version: 1,
      definition: toJson(definition),
      createdMs: options.nowMs,
      updatedMs: options.nowMs,
    })
    .execute();
  await remember(access, id, 1, definition, options);
  const { nowMs } = options;
  return { id, version: 1, definition, createdMs: nowMs, updatedMs: nowMs, deletedMs: null, pause: null };
}

async function change(
  access: Access,
  former: AppliedJob,
  definition: JobDefinition,
  options: ApplyOptions,
): Promise<AppliedJob> {
  const { id, version } = former;
  await access.db
    .updateTable('jobs')
    .set({ version: version + 1, definition: toJson(definition), updatedMs: options.nowMs })
    .where('id', '=', id)
    .execute();
  await remember(access, id, version + 1, definition, options);
  return { ...former, version: version + 1, definition, updatedMs: options.nowMs };
}

async function remember(
  access: Access,
  jobId: JobId,
  version: number,
  definition: JobDefinition,
  { by, nowMs }: ApplyOptions,
): Promise<void> {
  await access.db
    .insertInto('jobVersions')
    .values({ jobId, version, definition: toJson(definition), appliedBy: storable(by), appliedMs: nowMs })
    .execute();
}

async function remove(access: Access, ids: readonly JobId[], nowMs: number): Promise<void> {
  if (ids.length === 0) return;
  await access.db
    .updateTable('jobs')
    .set({ deletedMs: nowMs, updatedMs: nowMs })
    .where('id', 'in', ids)
    .execute();
}
