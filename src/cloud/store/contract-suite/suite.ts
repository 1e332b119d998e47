import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJobs } from '../../jobs/index.ts';
import {
  type Decision,
  type HostId,
  type JobId,
  type NewRun,
  openStore,
  type RunChange,
  type RunCommit,
  type RunFilter,
  type RunKey,
  runKeyOf,
  type Store,
} from '../index.ts';
import { alertsSuite } from './alerts.ts';

/** An address of a database that is empty, and nobody else's. */
type NewDatabase = () => Promise<string>;

const fail = (error: Error): void => {
  throw error;
};

async function open(url: string): Promise<Store> {
  return await openStore(url, { schema: 'create', onIdleError: fail });
}

function definitions(project: string, ...jobs: readonly (readonly [name: string, pool: string])[]) {
  const lines = jobs.map(([name, pool]) => `  ${name}: { argv: ["true"], pool: ${pool} }\n`);
  return jobs.length === 0 ? [] : parseJobs(`project: ${project}\njobs:\n${lines.join('')}`, 'jobs.yaml');
}

const by = { by: 'ann', nowMs: 1000, prune: [], dryRun: false };

async function aJob(store: Store): Promise<JobId> {
  await store.jobs.apply(definitions('shop', ['a', 'os']), by);
  const [job] = await store.jobs.list();
  assert.ok(job !== undefined);
  return job.id;
}

function newRun(key: string, more: Partial<NewRun> = {}): NewRun {
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

function aFire(jobId: JobId, dueMs: number): Decision & { readonly run: NewRun } {
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

const unfenced = { fence: null, events: [], nowMs: 0 } as const;

function changed(key: string, more: Partial<RunChange>): RunChange {
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

function commitOf(more: Partial<RunCommit>): RunCommit {
  return { created: [], changes: [], attempts: [], arrivals: [], events: [], nowMs: 5000, ...more };
}

/**
 * Registers the suite. `sharing`: several stores of one process may have the same database. With SQLite each would wait
 * for the other's transaction, and in doing so keep it from ending: there a process has one store.
 */
export function contractSuite(newDatabase: NewDatabase, { sharing }: { readonly sharing: boolean }): void {
  const two = async (): Promise<AsyncDisposable & { readonly stores: readonly [Store, Store] }> => {
    const url = await newDatabase();
    const first = await open(url);
    const second = sharing ? await open(url) : first;
    const dispose = async (): Promise<void> => {
      for (const store of new Set([first, second])) await store[Symbol.asyncDispose]();
    };
    return { stores: [first, second], [Symbol.asyncDispose]: dispose };
  };

  test('an empty database gets the schema, once, and is then the one that this release knows', async () => {
    const url = await newDatabase();
    await using store = await open(url);
    assert.deepEqual(
      (await store.migrations()).map(({ name, appliedMs, known }) => [name, appliedMs !== null, known]),
      [
        ['0001-first', true, true],
        ['0002-next-due', true, true],
        ['0003-confirmed', true, true],
      ],
    );
    assert.deepEqual(await store.migrate(), []);
    await using again = await openStore(url, { schema: 'check', onIdleError: fail });
    assert.deepEqual(await again.jobs.list(), []);
  });

  test('a database without the schema is refused, with the remedy', async () => {
    const url = await newDatabase();
    await using any = await openStore(url, { schema: 'any', onIdleError: fail }).catch(() => open(url));
    assert.ok(any.place.length > 0);
    if (!(await any.isEmpty())) return;
    await assert.rejects(openStore(url, { schema: 'check', onIdleError: fail }), {
      code: 'schema_missing',
      hint: 'run `rocksy store migrate`',
    });
  });

  test('jobs are created, changed and left alone, and each change is a version', async () => {
    await using store = await open(await newDatabase());
    await store.jobs.apply(definitions('shop', ['a', 'os'], ['b', 'os']), by);
    const { difference } = await store.jobs.apply(definitions('shop', ['a', 'web'], ['c', 'os']), {
      ...by,
      by: 'bob',
      nowMs: 2000,
    });
    assert.deepEqual(
      [
        difference.created,
        difference.changed.map(({ definition }) => definition),
        difference.superfluous,
      ].map((jobs) => jobs.map(({ name }) => name)),
      [['c'], ['a'], ['b']],
    );
    const jobs = await store.jobs.list();
    assert.deepEqual(
      jobs.map(({ version, definition: { name, pool } }) => [name, pool, version]),
      [
        ['a', 'web', 2],
        ['b', 'os', 1],
        ['c', 'os', 1],
      ],
    );
    const [a] = jobs;
    assert.ok(a !== undefined);
    assert.deepEqual(
      (await store.jobs.history(a.id)).map(({ version, definition, appliedBy, appliedMs }) => [
        version,
        definition.pool,
        appliedBy,
        appliedMs,
      ]),
      [
        [1, 'os', 'ann', 1000],
        [2, 'web', 'bob', 2000],
      ],
    );
  });

  test('what is pruned is gone from the list, keeps its history, and comes again as another job', async () => {
    await using store = await open(await newDatabase());
    await store.jobs.apply(definitions('shop', ['a', 'os'], ['b', 'os']), by);
    await store.jobs.apply(definitions('other', ['b', 'os']), by);
    const former = (await store.jobs.list()).find(
      ({ definition }) => definition.project === 'shop' && definition.name === 'b',
    );
    assert.ok(former !== undefined);
    await store.jobs.apply(definitions('shop', ['a', 'os']), { ...by, prune: ['shop'] });
    assert.deepEqual(
      (await store.jobs.list()).map(({ definition: { project, name } }) => `${project}/${name}`),
      ['other/b', 'shop/a'],
    );
    assert.equal((await store.jobs.history(former.id)).length, 1);
    await store.jobs.apply([], { ...by, prune: ['shop'] });
    assert.deepEqual(
      (await store.jobs.list()).map(({ definition: { project } }) => project),
      ['other'],
      'also the last one of a project',
    );
    await store.jobs.apply(definitions('shop', ['b', 'os']), by);
    assert.equal((await store.jobs.list()).filter(({ id }) => id === former.id).length, 0);
  });

  test('a dry run tells the difference and changes nothing', async () => {
    await using store = await open(await newDatabase());
    const { difference } = await store.jobs.apply(definitions('shop', ['a', 'os']), { ...by, dryRun: true });
    assert.equal(difference.created.length, 1);
    assert.deepEqual(await store.jobs.list(), []);
  });

  test('what can not be applied as a whole is not applied at all', async () => {
    await using store = await open(await newDatabase());
    const [job] = definitions('shop', ['a', 'os']);
    assert.ok(job !== undefined);
    // The same name twice: the second one meets the unique index.
    await assert.rejects(store.jobs.apply([job, { ...job, pool: 'web' }], by));
    assert.deepEqual(await store.jobs.list(), []);
  });

  test('who applies at the same time comes one after the other: no version is lost or doubled', async () => {
    await using pair = await two();
    const [first, second] = pair.stores;
    await first.jobs.apply(definitions('shop', ['a', 'start']), by);
    await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        (i % 2 === 0 ? first : second).jobs.apply(definitions('shop', ['a', `pool-${i}`]), by),
      ),
    );
    const [job] = await first.jobs.list();
    assert.ok(job !== undefined);
    assert.equal(job.version, 11);
    const history = await second.jobs.history(job.id);
    assert.deepEqual(
      history.map(({ version }) => version),
      Array.from({ length: 11 }, (_, i) => i + 1),
    );
    assert.deepEqual(history.at(-1)?.definition, job.definition);
  });

  test('a fire is decided once, however often and by however many it is tried', async () => {
    await using pair = await two();
    const [first, second] = pair.stores;
    const jobId = await aJob(first);
    const decision = aFire(jobId, 60_000);
    const tries = Array.from({ length: 10 }, (_, i) =>
      (i % 2 === 0 ? first : second).ledger.record([decision], unfenced),
    );
    assert.equal((await Promise.all(tries)).flatMap(({ fresh }) => fresh).length, 1);
    const { entry } = decision;
    const became = { verdict: 'skipped', reason: 'misfire', detail: null } as const;
    const again = await first.ledger.record([{ entry: { ...entry, became }, run: null }], unfenced);
    assert.deepEqual(again.fresh, []);
    assert.deepEqual(await second.ledger.list(jobId, { fromMs: 0, untilMs: 1e9 }), {
      items: [entry],
      next: null,
    });
    assert.deepEqual(await second.ledger.get(jobId, 60_000), entry);
    const run = await second.runs.get(decision.run.key);
    assert.deepEqual(
      [run?.state, run?.job, run?.dueMs, run?.cause.kind],
      ['queued', 'a', 60_000, 'schedule'],
    );
  });

  test('of many fires those are noted that are new, each with its run', async () => {
    await using store = await open(await newDatabase());
    const jobId = await aJob(store);
    const fires = [1, 2, 3, 4].map((n) => aFire(jobId, n * 60_000));
    await store.ledger.record(fires.slice(1, 3), unfenced);
    const { fresh } = await store.ledger.record(fires, { ...unfenced, events: [{ kind: 'x' }] });
    assert.deepEqual(
      fresh.map(({ entry }) => entry.dueMs),
      [60_000, 240_000],
    );
    assert.equal((await Array.fromAsync(store.runs.active())).length, 4);
    const [batch] = await store.events.after(0, 10);
    assert.deepEqual(batch?.events, [{ kind: 'x' }]);
  });

  test('the ledger is read page by page, in either order', async () => {
    await using store = await open(await newDatabase());
    const jobId = await aJob(store);
    const became = { verdict: 'skipped', reason: 'paused', detail: 'holidays' } as const;
    const fires = Array.from({ length: 7 }, (_, i) => ({
      entry: { jobId, dueMs: i * 1000, decidedMs: 0, version: 1, became },
      run: null,
    }));
    await store.ledger.record(fires, unfenced);
    const read = async (order: 'asc' | 'desc') => {
      const seen: number[] = [];
      let cursor: string | undefined;
      do {
        const range = { fromMs: 1000, untilMs: 6000, limit: 2, order };
        const page = await store.ledger.list(jobId, cursor === undefined ? range : { ...range, cursor });
        seen.push(...page.items.map(({ dueMs }) => dueMs));
        cursor = page.next ?? undefined;
      } while (cursor !== undefined);
      return seen;
    };
    assert.deepEqual(await read('asc'), [1000, 2000, 3000, 4000, 5000]);
    assert.deepEqual(await read('desc'), [5000, 4000, 3000, 2000, 1000]);
    await assert.rejects(store.ledger.list(jobId, { fromMs: 0, untilMs: 1, cursor: 'nonsense' }), {
      code: 'bad_cursor',
    });
    assert.equal(await store.ledger.expire(3000, 100), 3);
    assert.equal((await store.ledger.list(jobId, { fromMs: 0, untilMs: 1e9 })).items.length, 4);
  });

  test('runs are created once, changed while they go on, and end once', async () => {
    await using store = await open(await newDatabase());
    const a = newRun('a');
    const ended = changed('a', {
      state: 'ended',
      outcome: 'failed',
      code: 3,
      error: 'a\0b',
      result: '{"n":1}',
      hostId: 'h' as HostId,
      attempt: 2,
      made: { failure: 1 },
      endedMs: 4000,
    });
    assert.equal((await store.runs.commit(commitOf({ created: [a, newRun('b')] }), null)).known.size, 0);
    const again = await store.runs.commit(commitOf({ created: [a, newRun('c')] }), null);
    assert.deepEqual([...again.known], ['a']);
    const former = {
      runKey: 'a' as RunKey,
      attempt: 1,
      hostId: 'h' as HostId,
      wireKey: 'w1' as RunKey,
      startedMs: 2000,
      endedMs: 3000,
      outcome: 'killed' as const,
      code: null,
      signal: 'SIGKILL',
      error: null,
    };
    await store.runs.commit(commitOf({ changes: [ended], attempts: [former] }), null);
    await store.runs.commit(commitOf({ changes: [changed('a', { state: 'running' })] }), null);
    const record = await store.runs.get('a' as RunKey);
    assert.deepEqual(record, {
      ...a,
      ...ended,
      error: 'a\uFFFDb',
      job: null,
    });
    assert.deepEqual(await store.runs.formerAttempts('a' as RunKey), [former]);
    assert.equal(await store.runs.keyOfAttempt('w1' as RunKey), 'a');
    assert.equal(await store.runs.keyOfAttempt('nobody' as RunKey), null);
    assert.deepEqual(
      (await Array.fromAsync(store.runs.active())).map(({ key }) => key),
      ['b', 'c'],
    );
    assert.deepEqual(await store.runs.outcomesSince(0), { failed: 1 });
  });

  test('a run that is created and changed in one commit is there as it stands in the end', async () => {
    await using store = await open(await newDatabase());
    const running = changed('a', { state: 'running', hostId: 'h' as HostId, startedMs: 7, attempt: 2 });
    await store.runs.commit(commitOf({ created: [newRun('a')], changes: [running] }), null);
    assert.deepEqual(await store.runs.get('a' as RunKey), { ...newRun('a'), ...running, job: null });
    const foreign = changed('a', { state: 'starting' });
    const again = await store.runs.commit(commitOf({ created: [newRun('a')], changes: [foreign] }), null);
    assert.deepEqual([...again.known], ['a']);
    assert.equal(
      (await store.runs.get('a' as RunKey))?.state,
      'running',
      'it was there, and is somebody else’s',
    );
  });

  test('of arrivals the last word counts', async () => {
    await using store = await open(await newDatabase());
    await store.jobs.apply(definitions('shop', ['a', 'os']), by);
    const [job] = await store.jobs.list();
    assert.ok(job !== undefined);
    const of = (parent: string, result: unknown) => ({ jobId: job.id, parent, result });
    await store.runs.commit(commitOf({ arrivals: [of('p', 1), of('q', 1), of('p', 2)] }), null);
    assert.deepEqual(
      (await store.runs.arrivals()).toSorted((x, y) => x.parent.localeCompare(y.parent)),
      [of('p', 2), of('q', 1)],
    );
    await store.runs.commit(commitOf({ arrivals: [of('p', null), of('q', null), of('q', 3)] }), null);
    assert.deepEqual(await store.runs.arrivals(), [of('q', 3)]);
  });

  test('a commit is whole or not at all', async () => {
    await using store = await open(await newDatabase());
    const broken = changed('a', { state: 'ended' });
    await assert.rejects(store.runs.commit(commitOf({ created: [newRun('a')], changes: [broken] }), null));
    assert.equal(await store.runs.get('a' as RunKey), null);
  });

  test('runs are listed newest first, page by page, by every filter', async () => {
    await using store = await open(await newDatabase());
    const jobId = await aJob(store);
    const created = Array.from({ length: 12 }, (_, i) =>
      newRun(`r${String(i).padStart(2, '0')}`, {
        queuedMs: 1000 + Math.floor(i / 2),
        project: i % 3 === 0 ? 'other' : 'shop',
        jobId: i % 4 === 0 ? jobId : null,
      }),
    );
    const changes = created
      .filter((_, i) => i >= 6)
      .map(({ key }, i) =>
        changed(key, {
          state: 'ended',
          outcome: i % 2 === 0 ? 'failed' : 'succeeded',
          hostId: (i < 4 ? 'h' : 'g') as HostId,
          endedMs: 9000,
        }),
      );
    await store.runs.commit(commitOf({ created, changes }), null);
    const keys = async (filter: RunFilter): Promise<string> => {
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await store.runs.list({
          limit: 2,
          ...filter,
          ...(cursor === undefined ? {} : { cursor }),
        });
        seen.push(...page.items.map(({ key }) => key.slice(1)));
        cursor = page.next ?? undefined;
      } while (cursor !== undefined);
      return seen.join(' ');
    };
    assert.equal(await keys({}), '11 10 09 08 07 06 05 04 03 02 01 00');
    assert.equal(await keys({ projects: ['other'] }), '09 06 03 00');
    assert.equal(await keys({ projects: [] }), '');
    assert.equal(
      await keys({ projects: ['other', 'nobody', 'shop'] }),
      '11 10 09 08 07 06 05 04 03 02 01 00',
    );
    assert.equal(await keys({ projects: ['other', 'other'], state: 'ended' }), '09 06');
    const many = Array.from({ length: 100 }, (_, n) => `other-${n}`);
    assert.equal(await keys({ projects: [...many, 'other'] }), '09 06 03 00');
    assert.equal(await keys({ jobId }), '08 04 00');
    assert.equal(await keys({ outcome: 'failed' }), '10 08 06');
    assert.equal(await keys({ outcome: 'failed', jobId }), '08');
    assert.equal(await keys({ state: 'active' }), '05 04 03 02 01 00');
    assert.equal(await keys({ state: 'queued', projects: ['other'] }), '03 00');
    assert.equal(await keys({ state: 'running' }), '');
    assert.equal(await keys({ state: 'queued', outcome: 'failed' }), '');
    const hostId = 'h' as HostId;
    assert.equal(await keys({ hostId }), '09 08 07 06');
    assert.equal(await keys({ hostId, jobId }), '08');
    assert.equal(await keys({ hostId, jobId, outcome: 'succeeded' }), '');
    assert.equal(await keys({ hostId, projects: ['other', 'shop'], outcome: 'failed' }), '08 06');
    assert.equal(await keys({ hostId, projects: ['other'], outcome: 'succeeded' }), '09');
    assert.equal(await keys({ state: 'ended', projects: ['other'] }), '09 06');
  });

  test('ended runs go by age and by number, oldest first, and others never', async () => {
    await using store = await open(await newDatabase());
    const created = Array.from({ length: 10 }, (_, i) => newRun(`r${i}`));
    const changes = created
      .slice(0, 8)
      .map(({ key }, i) => changed(key, { state: 'ended', outcome: 'succeeded', endedMs: i * 100 }));
    await store.runs.commit(commitOf({ created, changes }), null);
    assert.equal(await store.runs.expire({ beforeMs: 300, keep: 100, limit: 2 }), 2);
    assert.equal(await store.runs.expire({ beforeMs: 300, keep: 100, limit: 100 }), 1);
    assert.equal(await store.runs.expire({ beforeMs: 0, keep: 2, limit: 100 }), 3);
    const left = (await store.runs.list({})).items.map(({ key }) => key);
    assert.deepEqual(left, ['r9', 'r8', 'r7', 'r6']);
  });

  test('of runs that ended in one moment so many stay as are to be kept', async () => {
    await using store = await open(await newDatabase());
    const created = Array.from({ length: 5 }, (_, i) => newRun(`r${i}`));
    const end = { state: 'ended', outcome: 'succeeded', endedMs: 100 } as const;
    await store.runs.commit(
      commitOf({ created, changes: created.map(({ key }) => changed(key, end)) }),
      null,
    );
    assert.equal(await store.runs.expire({ beforeMs: 100, keep: 3, limit: 100 }), 2);
    assert.deepEqual(
      (await store.runs.list({})).items.map(({ key }) => key),
      ['r4', 'r3', 'r2'],
    );
  });

  test('of fires in one moment so many go as may at once', async () => {
    await using store = await open(await newDatabase());
    await store.jobs.apply(definitions('shop', ['a', 'os'], ['b', 'os'], ['c', 'os']), by);
    const became = { verdict: 'skipped', reason: 'paused', detail: null } as const;
    const fires = (await store.jobs.list()).map(({ id: jobId }) => ({
      entry: { jobId, dueMs: 1, decidedMs: 1, version: 1, became },
      run: null,
    }));
    await store.ledger.record(fires, unfenced);
    assert.equal(await store.ledger.expire(1, 2), 0);
    assert.equal(await store.ledger.expire(2, 2), 2);
    assert.equal(await store.ledger.expire(2, 2), 1);
  });

  test('when jobs are due next is kept for whoever computes by the same rules', async () => {
    await using store = await open(await newDatabase());
    await store.jobs.apply(definitions('shop', ['a', 'os'], ['b', 'os']), by);
    const [a, b] = (await store.jobs.list()).map(({ id }) => id) as [JobId, JobId];
    await store.nextDue.save(
      [
        { jobId: a, version: 1, dueMs: 1_000 },
        { jobId: b, version: 1, dueMs: null },
      ],
      'tz 1',
      null,
    );
    await store.nextDue.save([{ jobId: a, version: 2, dueMs: 2_000 }], 'tz 2', null);
    assert.deepEqual(await store.nextDue.many([a, b], 'tz 1'), [{ jobId: b, version: 1, dueMs: null }]);
    assert.deepEqual(await store.nextDue.many([a, b], 'tz 2'), [{ jobId: a, version: 2, dueMs: 2_000 }]);
    assert.deepEqual(await store.nextDue.many([b], 'tz 2'), []);
  });

  test('a lease has one holder, and who had it before writes nothing more', async () => {
    await using pair = await two();
    const [first, second] = pair.stores;
    const one = await first.leases.acquire('leader', 'one', 60_000);
    assert.deepEqual(one, { name: 'leader', holder: 'one', epoch: 1 });
    assert.equal(await second.leases.acquire('leader', 'two', 60_000), null);
    assert.equal(await first.leases.acquire('leader', 'one', 60_000), null, 'not even twice the same');
    assert.equal(await first.leases.renew(one, 0), true);
    assert.equal(await first.leases.renew(one, 60_000), true, 'its time was over, but nobody has taken it');
    assert.deepEqual(
      (await second.leases.held()).map(({ name, holder }) => `${name} ${holder}`),
      ['leader one'],
    );
    await first.leases.release({ name: 'leader', holder: 'one', epoch: 1 });
    assert.deepEqual(await second.leases.held(), []);
    const other = await second.leases.acquire('leader', 'two', 60_000);
    assert.equal(other?.epoch, 2);
    assert.equal(await first.leases.renew(one, 60_000), false);
    const commit = commitOf({ created: [newRun('a')] });
    await assert.rejects(first.runs.commit(commit, one), { code: 'lease_lost' });
    assert.equal(await first.runs.get('a' as RunKey), null);
    await second.runs.commit(commit, other);
  });

  test('a host joins once by a token, and by the same credential again', async () => {
    await using store = await open(await newDatabase());
    await store.hosts.invite({ hash: 't', by: 'ann', nowMs: 0, expiresMs: 1000 });
    const enrolment = { tokenHash: 't', name: 'web-1', credentialHash: 'c', nowMs: 10 };
    const id = await store.hosts.enrol({ ...enrolment, hostId: 'h1' as HostId });
    assert.equal(await store.hosts.enrol({ ...enrolment, hostId: 'h2' as HostId }), id);
    const refused = { code: 'join_refused' };
    await assert.rejects(store.hosts.enrol({ ...enrolment, hostId: id, credentialHash: 'd' }), refused);
    await assert.rejects(store.hosts.enrol({ ...enrolment, hostId: id, tokenHash: 'x' }), refused);
    await store.hosts.invite({ hash: 't2', by: 'ann', nowMs: 0, expiresMs: 1000 });
    const late = { ...enrolment, tokenHash: 't2', hostId: 'h3' as HostId };
    await assert.rejects(store.hosts.enrol({ ...late, nowMs: 1000 }), refused);
    await assert.rejects(store.hosts.enrol(late), { ...refused, message: 'there is a host web-1 already' });
    await store.hosts.remove(id);
    assert.equal(await store.hosts.enrol({ ...late, credentialHash: 'd' }), 'h3');
  });

  test('a host that shows an older incarnation than it has confirmed is a copy; of those it was given since it may have any', async () => {
    await using store = await open(await newDatabase());
    await store.hosts.invite({ hash: 't', by: 'ann', nowMs: 0, expiresMs: 1000 });
    const id = await store.hosts.enrol({
      tokenHash: 't',
      name: 'web-1',
      credentialHash: 'c',
      nowMs: 10,
      hostId: 'h' as HostId,
    });
    const stale = { code: 'stale_host' };
    const tell = (incarnation: number) =>
      store.hosts.describe(id, { incarnation, labels: { zone: 'a' }, capacity: 4, facts, nowMs: 99 });
    const facts = { version: '1', pools: [{ name: 'os', runtime: 'command' }] };
    // Links that are cut before the host has heard its number, one after the other.
    for (const given of [1, 2, 3]) assert.equal(await store.hosts.enter(id, 0), given);
    // It has heard the second one, and its answer was lost.
    assert.equal(await store.hosts.enter(id, 2), 4);
    await assert.rejects(store.hosts.enter(id, 1), stale);
    await assert.rejects(store.hosts.enter(id, 5), stale, 'it was never given');
    await tell(4);
    await assert.rejects(store.hosts.enter(id, 3), stale);
    assert.equal(await store.hosts.enter(id, 4), 5);
    await tell(5);
    await tell(4);
    await assert.rejects(store.hosts.enter(id, 4), stale, 'what is told late takes nothing back');
    const [host] = await store.hosts.list();
    assert.deepEqual([host?.labels, host?.capacity, host?.facts], [{ zone: 'a' }, 4, facts]);
  });

  test('tokens are found by their digest until they are revoked', async () => {
    await using store = await open(await newDatabase());
    const token = { id: '1', name: 'ci', role: 'operator', project: null, createdMs: 5, hash: 'h' } as const;
    assert.equal(await store.tokens.create(token), true);
    assert.equal(await store.tokens.create({ ...token, id: '2', hash: 'i' }), false);
    assert.equal((await store.tokens.find('h'))?.name, 'ci');
    assert.equal(await store.tokens.find('i'), null);
    assert.equal(await store.tokens.revoke('ci', 9), true);
    assert.equal(await store.tokens.find('h'), null);
    assert.equal(await store.tokens.revoke('ci', 9), false);
  });

  test('a request that is sent twice is done once', async () => {
    await using store = await open(await newDatabase());
    const { idempotencyKeys: keys } = store;
    assert.deepEqual(await keys.claim('k', 'r', 0, 1000), { state: 'new' });
    assert.deepEqual(await keys.claim('k', 'r', 0, 1000), { state: 'pending' });
    await keys.answer('k', { n: 1 });
    assert.deepEqual(await keys.claim('k', 'r', 0, 1000), { state: 'answered', answer: { n: 1 } });
    assert.deepEqual(await keys.claim('k', 'other', 0, 1000), { state: 'other' });
    assert.deepEqual(await keys.claim('k', 'other', 2000, 3000), { state: 'new' });
  });

  test('a job is paused and resumed, and a setting is kept', async () => {
    await using store = await open(await newDatabase());
    const id = await aJob(store);
    const pause = { sinceMs: 5, untilMs: null, reason: 'holidays' };
    await store.jobs.setPause(id, pause);
    assert.deepEqual((await store.jobs.find('shop', 'a'))?.pause, pause);
    await store.jobs.setPause(id, null);
    assert.equal((await store.jobs.get(id))?.pause, null);
    assert.equal(await store.settings.get('x'), null);
    assert.deepEqual(await store.settings.getOrSet('x', { a: 1 }), { a: 1 });
    assert.deepEqual(await store.settings.getOrSet('x', { a: 2 }), { a: 1 });
    await store.settings.set('x', { a: 3 });
    assert.deepEqual(await store.settings.get('x'), { a: 3 });
  });

  test('the audit log is read newest first, by who did it and to what', async () => {
    await using store = await open(await newDatabase());
    for (let i = 0; i < 5; i++)
      await store.audit.record({
        atMs: i,
        who: i % 2 === 0 ? 'ann' : 'bob',
        what: 'cancel',
        target: `run ${i}`,
        detail: { i },
      });
    const first = await store.audit.list({ limit: 2, who: 'ann' });
    assert.deepEqual(
      first.items.map(({ target }) => target),
      ['run 4', 'run 2'],
    );
    const rest = await store.audit.list({ limit: 2, who: 'ann', cursor: first.next ?? '' });
    assert.deepEqual(
      rest.items.map(({ detail }) => detail),
      [{ i: 0 }],
    );
    assert.equal((await store.audit.list({ target: 'run 3' })).items.length, 1);
  });

  alertsSuite(async () => await open(await newDatabase()));

  test('texts of any kind come back as they were', async () => {
    await using store = await open(await newDatabase());
    const [job] = definitions('shop', ['a', 'os']);
    assert.ok(job !== undefined);
    const description = 'naïve \u{1F680} \\u0000 " \' % _ ; -- \n\t';
    await store.jobs.apply([{ ...job, description, env: { X: 'a\0b' } }], { ...by, by: 'ann\0' });
    const [stored] = await store.jobs.list();
    assert.deepEqual([stored?.definition.description, stored?.definition.env], [description, { X: 'a\0b' }]);
  });
}
