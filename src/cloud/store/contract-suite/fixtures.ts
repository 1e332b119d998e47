import assert from 'node:assert/strict';
import { parseJobs } from '../../jobs/index.ts';
import {
  type Decision,
  type JobId,
  type NewRun,
  openStore,
  type RunChange,
  type RunCommit,
  type RunKey,
  runKeyOf,
  type Store,
} from '../index.ts';

/** An address of a database that is empty, and nobody else's. */
export type NewDatabase = () => Promise<string>;

export const fail = (error: Error): void => {
  throw error;
};

export async function open(url: string): Promise<Store> {
  return await openStore(url, { schema: 'create', onIdleError: fail });
}

export function definitions(project: string, ...jobs: readonly (readonly [name: string, pool: string])[]) {
  const lines = jobs.map(([name, pool]) => `  ${name}: { argv: ["true"], pool: ${pool} }\n`);
  return jobs.length === 0 ? [] : parseJobs(`project: ${project}\njobs:\n${lines.join('')}`, 'jobs.yaml');
}

export const by = { by: 'ann', nowMs: 1000, prune: [], dryRun: false };

export async function aJob(store: Store): Promise<JobId> {
  await store.jobs.apply(definitions('shop', ['a', 'os']), by);
  const [job] = await store.jobs.list();
  assert.ok(job !== undefined);
  return job.id;
}

export function newRun(key: string, more: Partial<NewRun> = {}): NewRun {
  return {
    key: key as RunKey,
    jobId: null,
    jobVersion: null,
    project: 'shop',
    pool: 'os',
    spec: { argv: ['true'] },
    cause: { kind: 'api', ref: 'ann' },
    priority: 0,
    queuedMs: 1000,
    dueMs: null,
    notBeforeMs: 1000,
    ...more,
  };
}

export function aFire(jobId: JobId, dueMs: number): Decision & { readonly run: NewRun } {
  const key = runKeyOf(jobId, dueMs);
  const entry = {
    jobId,
    dueMs,
    decidedMs: dueMs + 1,
    version: 1,
    became: { verdict: 'run', runKey: key },
  } as const;
  const cause = { kind: 'schedule', ref: null } as const;
  return { entry, run: newRun(key, { jobId, jobVersion: 1, cause, queuedMs: dueMs + 1, dueMs }) };
}

export const unfenced = { fence: null, events: [], nowMs: 0 } as const;

export function changed(key: string, more: Partial<RunChange>): RunChange {
  return {
    key: key as RunKey,
    state: 'queued',
    outcome: null,
    code: null,
    signal: null,
    error: null,
    result: null,
    hostId: null,
    attempt: 1,
    made: null,
    notBeforeMs: 1000,
    startedMs: null,
    endedMs: null,
    cancelRequestedMs: null,
    cancelRequestedBy: null,
    placement: null,
    ...more,
  };
}

export function commitOf(more: Partial<RunCommit>): RunCommit {
  return { created: [], changes: [], attempts: [], arrivals: [], events: [], nowMs: 5000, ...more };
}

/** Makes stores on databases that are empty. */
export class Stores {
  readonly newDatabase: NewDatabase;
  readonly #sharing: boolean;

  constructor(newDatabase: NewDatabase, sharing: boolean) {
    this.newDatabase = newDatabase;
    this.#sharing = sharing;
  }

  async one(): Promise<Store> {
    return await open(await this.newDatabase());
  }

  /** Two on one database, or twice the same where a process can have one only. */
  async two(): Promise<AsyncDisposable & { readonly stores: readonly [Store, Store] }> {
    const url = await this.newDatabase();
    const first = await open(url);
    const second = this.#sharing ? await open(url) : first;
    const dispose = async (): Promise<void> => {
      for (const store of new Set([first, second])) await store[Symbol.asyncDispose]();
    };
    return { stores: [first, second], [Symbol.asyncDispose]: dispose };
  }
}
