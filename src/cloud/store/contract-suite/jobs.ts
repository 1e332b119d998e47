import assert from 'node:assert/strict';
import { test } from 'node:test';
import { by, definitions, type Stores } from './fixtures.ts';

export function jobsSuite(stores: Stores): void {
  test('jobs are created, changed and left alone, and each change is a version', async () => {
    await using store = await stores.one();
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
    await using store = await stores.one();
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
    await using store = await stores.one();
    const { difference } = await store.jobs.apply(definitions('shop', ['a', 'os']), { ...by, dryRun: true });
    assert.equal(difference.created.length, 1);
    assert.deepEqual(await store.jobs.list(), []);
  });

  test('what can not be applied as a whole is not applied at all', async () => {
    await using store = await stores.one();
    const [job] = definitions('shop', ['a', 'os']);
    assert.ok(job !== undefined);
    // The same name twice: the second one meets the unique index.
    await assert.rejects(store.jobs.apply([job, { ...job, pool: 'web' }], by));
    assert.deepEqual(await store.jobs.list(), []);
  });

  test('who applies at the same time comes one after the other: no version is lost or doubled', async () => {
    await using pair = await stores.two();
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

  test('texts of any kind come back as they were', async () => {
    await using store = await stores.one();
    const [job] = definitions('shop', ['a', 'os']);
    assert.ok(job !== undefined);
    const description = 'naïve \u{1F680} \\u0000 " \' % _ ; -- \n\t';
    await store.jobs.apply([{ ...job, description, env: { X: 'a\0b' } }], { ...by, by: 'ann\0' });
    const [stored] = await store.jobs.list();
    assert.deepEqual([stored?.definition.description, stored?.definition.env], [description, { X: 'a\0b' }]);
  });
}
