import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseJobs } from '../jobs/index.ts';
import { Postgres } from './fixtures/postgres.ts';
import { type HostId, openStore, type RunKey, runKeyOf, type Store } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'rocksy-copy-'));
let postgres: Postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(async () => {
  await postgres[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

let count = 0;
const onSqlite = async (): Promise<string> => `sqlite:${join(folder, `${++count}.db`)}`;
const onPostgres = (): Promise<string> => postgres.newDatabase();
const open = (url: string): Promise<Store> =>
  openStore(url, { schema: 'create', onIdleError: assert.ifError });

const RUNS = 250;
const TEXT = 'naïve \u{1F680} \\u0000 " \' % _ ; -- \n\t\u0001 \ud800 \0';

/** Rows in every table, and values of every kind. */
async function fill(store: Store): Promise<void> {
  const jobs = parseJobs('project: shop\njobs:\n  a: { argv: ["true"], pool: os }\n', 'jobs.yaml');
  const options = { by: TEXT, nowMs: 1000, prune: [], dryRun: false };
  const [job] = (await store.jobs.apply(jobs, options)).jobs;
  assert.ok(job !== undefined);
  await store.jobs.setPause(job.id, { sinceMs: 5, untilMs: null, reason: TEXT });
  const became = { verdict: 'skipped', reason: 'paused', detail: TEXT } as const;
  const fires = Array.from({ length: RUNS }, (_, n) => ({
    entry: { jobId: job.id, dueMs: n, decidedMs: 2 ** 52 + n, version: 1, became },
    run: null,
  }));
  await store.ledger.record(fires, { fence: null, events: [{ kind: 'fire', TEXT }], nowMs: 7 });
  const created = fires.map(({ entry: { jobId, dueMs } }) => ({
    key: runKeyOf(jobId, dueMs),
    jobId: dueMs % 2 === 0 ? jobId : null,
    jobVersion: 1,
    project: 'shop',
    pool: 'os',
    spec: { text: TEXT, n: -1.5e300 },
    cause: { kind: 'api', ref: TEXT } as const,
    priority: -3,
    queuedMs: dueMs,
    dueMs: null,
    notBeforeMs: dueMs,
  }));
  const [first] = created;
  assert.ok(first !== undefined);
  const end = { key: first.key, state: 'ended', outcome: 'failed', code: 3, signal: null } as const;
  const more = {
    error: TEXT,
    result: '{"n":1}',
    hostId: 'h' as HostId,
    attempt: 2,
    made: { failure: 1 },
    notBeforeMs: 3,
    startedMs: 4,
    endedMs: 5,
    cancelRequestedMs: 6,
    cancelRequestedBy: 'ann',
    placement: 'p',
  };
  const attempt = {
    runKey: first.key,
    attempt: 1,
    hostId: 'h' as HostId,
    wireKey: 'w' as RunKey,
    startedMs: null,
    endedMs: 3,
    outcome: 'killed',
    code: null,
    signal: 'SIGKILL',
    error: TEXT,
  } as const;
  const arrivals = [{ jobId: job.id, parent: 'p', result: { TEXT } }];
  const events = [{ kind: 'x' }];
  const changes = [{ ...end, ...more }];
  await store.runs.commit({ created, changes, attempts: [attempt], arrivals, events, nowMs: 9 }, null);
  await store.hosts.invite({ hash: 'i', by: 'ann', nowMs: 0, expiresMs: 10 });
  const enrolment = { tokenHash: 'i', name: 'web', credentialHash: 'c', nowMs: 1, hostId: 'h' as HostId };
  await store.hosts.enrol(enrolment);
  const token = { id: '1', name: 'ci', role: 'viewer', project: null, createdMs: 5, hash: 't' } as const;
  await store.tokens.create(token);
  await store.audit.record({ atMs: 1, who: 'ann', what: 'apply', target: TEXT, detail: { TEXT } });
  await store.leases.acquire('leader', 'one', 0);
  await store.idempotencyKeys.claim('k', 'r', 0, 10);
  await store.settings.set('s', { TEXT });
  await store.nextDue.save([{ jobId: job.id, version: 1, dueMs: 7 }], 'rules', null);
  const incident = { id: 'i', job: 'shop/a', openedMs: 1, TEXT };
  const gathering = { kind: 'opened', group: 'g', dueMs: 2, TEXT };
  const delivery = { id: 'd', channel: 'mail', notice: { TEXT }, dueMs: 3 };
  await store.alerts.change({ jobs: [], nowMs: 1, sweepDueMs: () => 4, cursor: null }, () => ({
    incidents: [incident],
    gatherings: [gathering],
    deliveries: [delivery],
  }));
}

/** All that the store shows, by its own words. */
async function contentsOf(store: Store) {
  const [job] = await store.jobs.list();
  assert.ok(job !== undefined);
  const runs = (await store.runs.list({ limit: 1000 })).items;
  const ended = runs.find(({ state }) => state === 'ended');
  assert.ok(ended !== undefined);
  return {
    job,
    runs,
    history: await store.jobs.history(job.id),
    fires: (await store.ledger.list(job.id, { fromMs: 0, untilMs: 1e9, limit: 1000 })).items,
    attempts: await store.runs.formerAttempts(ended.key),
    arrivals: await store.runs.arrivals(),
    hosts: await store.hosts.list(),
    host: await store.hosts.get('h' as HostId),
    token: await store.tokens.find('t'),
    audit: (await store.audit.list({})).items,
    events: await store.events.after(0, 10),
    setting: await store.settings.get('s'),
    nextDue: await store.nextDue.many([job.id], 'rules'),
    incidents: await store.alerts.open(),
    sweepMs: await store.alerts.nextSweepMs(),
    deliveries: (await store.alerts.deliveries.list({})).items,
  };
}

const pairs = [
  ['SQLite', 'PostgreSQL', onSqlite, onPostgres],
  ['PostgreSQL', 'SQLite', onPostgres, onSqlite],
  ['SQLite', 'SQLite', onSqlite, onSqlite],
  ['PostgreSQL', 'PostgreSQL', onPostgres, onPostgres],
] as const;

for (const [one, other, onOne, onOther] of pairs) {
  test(`everything goes from ${one} to ${other}, and goes on there`, async () => {
    await using from = await open(await onOne());
    await using to = await open(await onOther());
    await fill(from);
    const told: string[] = [];
    const copied = await from.copyTo(to, ({ table }) => told.push(table));
    assert.deepEqual(
      copied.map(({ table, rows }) => `${table} ${rows}`),
      [
        'projects 1',
        'jobs 1',
        'job_versions 1',
        `fires ${RUNS}`,
        'next_due 1',
        'hosts 1',
        'join_tokens 1',
        `runs ${RUNS}`,
        'attempts 1',
        'arrivals 1',
        'tokens 1',
        'audit 1',
        'events 2',
        'leases 1',
        'idempotency_keys 1',
        'settings 1',
        'incidents 1',
        'gatherings 1',
        'deliveries 1',
      ],
    );
    assert.deepEqual(
      told,
      copied.map(({ table }) => table),
    );
    assert.deepEqual(await contentsOf(to), await contentsOf(from));
    assert.equal(await to.events.append([{ kind: 'y' }], 1), 3, 'ids go on');
    await to.audit.record({ atMs: 2, who: 'bob', what: 'x', target: 'y', detail: null });
    assert.equal((await to.audit.list({ who: 'bob' })).items[0]?.id, 2);
    assert.equal((await to.leases.acquire('leader', 'two', 1))?.epoch, 2, 'epochs go on');
    assert.equal((await to.idempotencyKeys.claim('k', 'r', 0, 10)).state, 'pending');
  });
}

test('a store that has something is not copied into, and keeps what it has', async () => {
  for (const onOne of [onSqlite, onPostgres]) {
    await using from = await open(await onSqlite());
    await using to = await open(await onOne());
    await fill(from);
    await to.settings.set('mine', 1);
    await assert.rejects(from.copyTo(to), { code: 'not_empty', message: /there are rows in settings$/ });
    assert.equal(await to.settings.get('mine'), 1);
    assert.deepEqual(await to.jobs.list(), []);
  }
});

test('what is written while it is copied is not in the copy, and waits for nothing', async () => {
  const url = await onPostgres();
  await using from = await open(url);
  await using writer = await open(url);
  await using to = await open(await onPostgres());
  await fill(from);
  let wrote: Promise<unknown> | undefined;
  await from.copyTo(to, ({ table }) => {
    if (table === 'projects') wrote = writer.settings.set('late', 1);
  });
  await wrote;
  assert.equal(await from.settings.get('late'), 1);
  assert.equal(await to.settings.get('late'), null);
});

test('a copy that fails leaves nothing behind', async () => {
  await using from = await open(await onSqlite());
  await using to = await open(await onPostgres());
  await fill(from);
  const copying = from.copyTo(to, ({ table }) => {
    if (table === 'audit') throw new Error('no more');
  });
  await assert.rejects(copying, /no more/);
  assert.deepEqual(await to.jobs.list(), []);
  await from.copyTo(to);
  assert.equal((await to.jobs.list()).length, 1);
});
