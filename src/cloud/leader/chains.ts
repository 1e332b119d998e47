import { type Outcome, type ParentResult, type RunRequest, specOf } from '../dispatch/index.ts';
import { type Arrival, type JobId, type RunKey, uuidV5 } from '../store/index.ts';
import type { JobBook, JobEntry } from './job-book.ts';

/** What a job may pass on to those that follow it: the rest can be asked for. */
const MAX_RESULT_CHARS = 16_384;

export interface Following {
  readonly runs: readonly RunRequest[];
  readonly arrivals: readonly Arrival[];
}

const NOTHING: Following = { runs: [], arrivals: [] };

/** Jobs that are started by the end of others: `on_success`, `on_failure`, and `after` of several. */
export class Chains {
  readonly #book: JobBook;
  /** Of jobs with `after`: their parents that have succeeded since they were started last. */
  readonly #arrived = new Map<JobId, Map<string, ParentResult>>();

  constructor(book: JobBook) {
    this.#book = book;
  }

  resume(arrivals: readonly Arrival[]): void {
    for (const { jobId, parent, result } of arrivals) this.#of(jobId).set(parent, result as ParentResult);
  }

  /** What follows from the end of a run: it goes into the store together with that. */
  ended({ jobId, project, key }: RunRequest, outcome: Outcome, nowMs: number): Following {
    const job = jobId === null ? undefined : this.#book.get(jobId);
    // Who cancels a run wants nothing to follow from it.
    if (job === undefined || outcome.name === 'cancelled') return NOTHING;
    const succeeded = outcome.name === 'succeeded';
    const names = (succeeded ? job.definition?.on_success : job.definition?.on_failure) ?? [];
    const result = resultOf(job.name, key, outcome);
    const runs = names.flatMap((name) => {
      const child = this.#book.find(project, name);
      return child === undefined ? [] : runOf(child, [result], uuidV5(child.id, `parent/${key}`), nowMs);
    });
    if (!succeeded) return { runs, arrivals: [] };
    const joined = this.#book
      .followersOf(project, job.name)
      .map((child) => this.#arrive(child, result, nowMs));
    return {
      runs: [...runs, ...joined.flatMap((following) => following.runs)],
      arrivals: joined.flatMap((following) => following.arrivals),
    };
  }

  /** With the last one that was missing it is started, and begins to wait anew. */
  #arrive(child: JobEntry, result: ParentResult, nowMs: number): Following {
    const arrived = this.#of(child.id);
    arrived.set(result.job, result);
    const parents = (child.definition?.after ?? []).map((name) => arrived.get(name));
    if (parents.includes(undefined))
      return { runs: [], arrivals: [{ jobId: child.id, parent: result.job, result }] };
    this.#arrived.delete(child.id);
    const all = parents.filter((parent) => parent !== undefined);
    const key = uuidV5(child.id, `parents/${all.map((parent) => parent.key).join('/')}`);
    const arrivals = [...arrived.keys()].map((parent) => ({ jobId: child.id, parent, result: null }));
    return { runs: runOf(child, all, key, nowMs), arrivals };
  }

  #of(jobId: JobId): Map<string, ParentResult> {
    const known = this.#arrived.get(jobId);
    if (known !== undefined) return known;
    const fresh = new Map<string, ParentResult>();
    this.#arrived.set(jobId, fresh);
    return fresh;
  }
}

function runOf(
  { id, version, definition }: JobEntry,
  parents: readonly ParentResult[],
  key: string,
  nowMs: number,
): RunRequest[] {
  // Nothing of a shadow is run.
  if (definition === null || definition.shadow) return [];
  return [
    {
      key: key as RunKey,
      jobId: id,
      job: definition.name,
      jobVersion: version,
      project: definition.project,
      pool: definition.pool,
      spec: specOf(definition, { parents }),
      cause: { kind: 'parent', ref: parents.map((parent) => parent.key).join(' ') },
      priority: definition.priority,
      queuedMs: nowMs,
      dueMs: null,
      notBeforeMs: nowMs,
    },
  ];
}

function resultOf(job: string, key: string, { name, code, result }: Outcome): ParentResult {
  const small = result !== null && result.length <= MAX_RESULT_CHARS;
  return { job, key, outcome: name, code, result: small ? (JSON.parse(result) as unknown) : null };
}
