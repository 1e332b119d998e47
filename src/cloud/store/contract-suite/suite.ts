import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJobs } from '../../jobs/index.ts';
import { type JobId, type LedgerEntry, type NewRun, openStore, runKeyOf, type Store } from '../index.ts';

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

function aRun(jobId: JobId, dueMs: number): [LedgerEntry, NewRun] {
  const key = runKeyOf(jobId, dueMs);
  const entry = {
    jobId,
    dueMs,
    decidedMs: dueMs + 1,
    version: 1,
    became: { verdict: 'run', runKey: key },
  } as const;
  const run = { key, project: 'shop', pool: 'os', spec: { argv: ['true'] }, priority: 0, notBeforeMs: dueMs };
  return [entry, run];
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
      [['0001-first', true, true]],
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
    const difference = await store.jobs.apply(definitions('shop', ['a', 'web'], ['c', 'os']), {
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
    const difference = await store.jobs.apply(definitions('shop', ['a', 'os']), { ...by, dryRun: true });
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
    const [entry, run] = aRun(jobId, 60_000);
    const tries = Array.from({ length: 10 }, (_, i) =>
      (i % 2 === 0 ? first : second).ledger.record(entry, run),
    );
    assert.deepEqual((await Promise.all(tries)).filter(Boolean), [true]);
    const skipped = { ...entry, became: { verdict: 'skipped', reason: 'misfire' } } as const;
    assert.equal(await first.ledger.record(skipped, null), false);
    assert.deepEqual(await second.ledger.list(jobId, { fromMs: 0, untilMs: 1e9 }), {
      items: [entry],
      next: null,
    });
  });

  test('a fire and its run are noted both or neither', async () => {
    await using store = await open(await newDatabase());
    const jobId = await aJob(store);
    const [entry, run] = aRun(jobId, 60_000);
    await store.ledger.record(entry, run);
    // A run of that key is there already.
    const [other] = aRun(jobId, 120_000);
    await assert.rejects(store.ledger.record({ ...other, became: { verdict: 'run', runKey: run.key } }, run));
    assert.equal((await store.ledger.list(jobId, { fromMs: 0, untilMs: 1e9 })).items.length, 1);
  });

  test('the ledger is read page by page, in order', async () => {
    await using store = await open(await newDatabase());
    const jobId = await aJob(store);
    for (let i = 0; i < 7; i++)
      await store.ledger.record(
        {
          jobId,
          dueMs: i * 1000,
          decidedMs: 0,
          version: 1,
          became: { verdict: 'skipped', reason: 'paused' },
        },
        null,
      );
    const seen: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.ledger.list(jobId, {
        fromMs: 1000,
        untilMs: 6000,
        limit: 2,
        ...(cursor === undefined ? {} : { cursor }),
      });
      seen.push(...page.items.map(({ dueMs }) => dueMs));
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    assert.deepEqual(seen, [1000, 2000, 3000, 4000, 5000]);
    await assert.rejects(store.ledger.list(jobId, { fromMs: 0, untilMs: 1, cursor: 'nonsense' }), {
      code: 'bad_cursor',
    });
  });

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
