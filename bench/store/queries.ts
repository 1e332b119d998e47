import type { HostId, JobId, RunFilter, Store } from '../../src/cloud/store/index.ts';
import { BIG_JOB, BROKEN_JOB, DAY_MS, PINNED_PROJECT, PROJECTS, projectOf } from './contents.ts';
import { type Filled, nameOf } from './fill.ts';

export interface Query {
  readonly name: string;
  /** How many rows it found. */
  readonly ask: (store: Store) => Promise<number>;
}

const SMALL_JOB = 280;

/** Every list and search that the API has. */
export function queriesOf({ jobs, firstMs, lastMs }: Filled): Query[] {
  const job = (number: number): JobId => (jobs[number] ?? '') as JobId;
  const host = (number: number): HostId => `host-${number}` as HostId;
  const deep = cursorAt(firstMs + (lastMs - firstMs) / 4);
  const scopes: readonly (readonly [string, RunFilter])[] = [
    ['all', {}],
    ['project (big)', { projects: [projectOf(0)] }],
    ['project (small)', { projects: [projectOf(18)] }],
    ['3 projects', { projects: [0, 5, 18].map(projectOf) }],
    ['20 projects', { projects: Array.from({ length: PROJECTS }, (_, n) => projectOf(n)) }],
    ['job (big)', { jobId: job(BIG_JOB) }],
    ['job (small), project', { jobId: job(SMALL_JOB), projects: [projectOf(SMALL_JOB)] }],
    ['host', { hostId: host(7) }],
    ['host, job (big)', { hostId: host(7), jobId: job(BIG_JOB) }],
    ['host, job (big) never there', { hostId: host(45), jobId: job(BIG_JOB) }],
    ['host, project', { hostId: host(7), projects: [projectOf(3)] }],
    ['host, project never there', { hostId: host(45), projects: [PINNED_PROJECT] }],
    ['host, 3 projects', { hostId: host(45), projects: [PINNED_PROJECT, projectOf(3), projectOf(5)] }],
  ];
  const kinds: readonly (readonly [string, RunFilter])[] = [
    ['', {}],
    ['failed', { outcome: 'failed' }],
    ['lost (rare)', { outcome: 'lost' }],
    ['succeeded', { outcome: 'succeeded' }],
    ['active', { state: 'active' }],
    ['running', { state: 'running' }],
    ['ended', { state: 'ended' }],
  ];
  const lists = scopes.flatMap(([scope, filter]) =>
    kinds.flatMap(([kind, more]) => {
      const name = kind === '' ? `runs: ${scope}` : `runs: ${scope}, ${kind}`;
      const first = list(name, { ...filter, ...more });
      return more.state === undefined
        ? [first, list(`${name}, deep page`, { ...filter, ...more, cursor: deep })]
        : [first];
    }),
  );
  return [
    ...lists,
    list('runs: broken job, succeeded', { jobId: job(BROKEN_JOB), outcome: 'succeeded' }),
    list('runs: all, 1000 a page', { limit: 1000 }),
    list('runs: outcome failed, 1000 a page', { limit: 1000, outcome: 'failed' }),
    { name: 'runs: of a key', ask: async (store) => Number((await store.runs.get('x' as never)) !== null) },
    {
      name: 'runs: of an attempt',
      ask: async (store) => Number((await store.runs.keyOfAttempt('x' as never)) !== null),
    },
    {
      name: 'runs: outcomes of 24 h',
      ask: async (store) =>
        Object.values(await store.runs.outcomesSince(lastMs - DAY_MS)).reduce((sum, count) => sum + count, 0),
    },
    ...(['asc', 'desc'] as const).map((order) => ({
      name: `ledger: job (big), ${order}`,
      ask: async (store: Store) =>
        (await store.ledger.list(job(BIG_JOB), { fromMs: firstMs, untilMs: lastMs, order })).items.length,
    })),
    {
      name: 'ledger: job (small), a day long ago',
      ask: async (store) => {
        const fromMs = firstMs + 10 * DAY_MS;
        return (await store.ledger.list(job(SMALL_JOB), { fromMs, untilMs: fromMs + DAY_MS })).items.length;
      },
    },
    {
      name: 'ledger: all of the last 10 min',
      ask: async (store) => (await store.ledger.since(lastMs - 600_000)).length,
    },
    { name: 'jobs: page', ask: async (store) => (await store.jobs.page({ projects: null })).items.length },
    {
      name: 'jobs: search',
      ask: async (store) => (await store.jobs.page({ projects: null, q: '99' })).items.length,
    },
    {
      name: 'jobs: by name',
      ask: async (store) => Number((await store.jobs.find(projectOf(SMALL_JOB), nameOf(SMALL_JOB))) !== null),
    },
    { name: 'audit: all', ask: async (store) => (await store.audit.list({})).items.length },
    { name: 'audit: who', ask: async (store) => (await store.audit.list({ who: 'user-3' })).items.length },
    {
      name: 'audit: target',
      ask: async (store) => (await store.audit.list({ target: 'job 7' })).items.length,
    },
  ];
}

function list(name: string, filter: RunFilter): Query {
  return { name, ask: async (store) => (await store.runs.list(filter)).items.length };
}

/** As the store makes it of the last row of a page. */
function cursorAt(queuedMs: number): string {
  return Buffer.from(JSON.stringify([Math.floor(queuedMs), 'x'])).toString('base64url');
}
