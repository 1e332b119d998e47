import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openStore, type RunKey } from '../index.ts';
import { alertsSuite } from './alerts.ts';
import { aJob, commitOf, fail, type NewDatabase, newRun, open, Stores } from './fixtures.ts';
import { hostsSuite } from './hosts.ts';
import { jobsSuite } from './jobs.ts';
import { ledgerSuite } from './ledger.ts';
import { runsSuite } from './runs.ts';

/**
 * Registers the suite. `sharing`: several stores of one process may have the same database. With SQLite each would wait
 * for the other's transaction, and in doing so keep it from ending: there a process has one store.
 */
export function contractSuite(newDatabase: NewDatabase, { sharing }: { readonly sharing: boolean }): void {
  const stores = new Stores(newDatabase, sharing);
  jobsSuite(stores);
  ledgerSuite(stores);
  runsSuite(stores);
  hostsSuite(stores);

  test('an empty database gets the schema, once, and is then the one that this release knows', async () => {
    const url = await stores.newDatabase();
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
    const url = await stores.newDatabase();
    await using any = await openStore(url, { schema: 'any', onIdleError: fail }).catch(() => open(url));
    assert.ok(any.place.length > 0);
    if (!(await any.isEmpty())) return;
    await assert.rejects(openStore(url, { schema: 'check', onIdleError: fail }), {
      code: 'schema_missing',
      hint: 'run `rocksy store migrate`',
    });
  });

  test('a lease has one holder, and who had it before writes nothing more', async () => {
    await using pair = await stores.two();
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

  test('tokens are found by their digest until they are revoked', async () => {
    await using store = await stores.one();
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
    await using store = await stores.one();
    const { idempotencyKeys: keys } = store;
    assert.deepEqual(await keys.claim('k', 'r', 0, 1000), { state: 'new' });
    assert.deepEqual(await keys.claim('k', 'r', 0, 1000), { state: 'pending' });
    await keys.answer('k', { n: 1 });
    assert.deepEqual(await keys.claim('k', 'r', 0, 1000), { state: 'answered', answer: { n: 1 } });
    assert.deepEqual(await keys.claim('k', 'other', 0, 1000), { state: 'other' });
    assert.deepEqual(await keys.claim('k', 'other', 2000, 3000), { state: 'new' });
  });

  test('a job is paused and resumed, and a setting is kept', async () => {
    await using store = await stores.one();
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
    await using store = await stores.one();
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

  alertsSuite(() => stores.one());
}
