import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobId } from '../index.ts';
import { aFire, aJob, by, definitions, type Stores, unfenced } from './fixtures.ts';

export function ledgerSuite(stores: Stores): void {
  test('a fire is decided once, however often and by however many it is tried', async () => {
    await using pair = await stores.two();
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
    await using store = await stores.one();
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
    await using store = await stores.one();
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

  test('of fires in one moment so many go as may at once', async () => {
    await using store = await stores.one();
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
    await using store = await stores.one();
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
}
