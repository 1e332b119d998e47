import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aRun, ended, keyOf, openJournal, RUNNING } from './fixtures/testing.ts';
import type { Journal } from './index.ts';

async function endedRuns(journal: Journal, count: number): Promise<void> {
  const numbers = Array.from({ length: count }, (_, i) => i);
  await Promise.all(numbers.map((i) => journal.accept(aRun(`k${i}`))));
  await Promise.all(numbers.map((i) => journal.record(aRun(`k${i}`, { phase: ended({ endedMs: i * 10 }) }))));
}

const left = (journal: Journal): string[] =>
  journal.list({ limit: 1000 }).runs.map(({ identity }) => identity.key);

test('runs that ended too long ago are forgotten, oldest first, and their files named', async (t) => {
  const journal = await openJournal(t);
  await endedRuns(journal, 5);
  const removed = await journal.expire({ nowMs: 1020, maxAgeMs: 1000, maxCount: Number.POSITIVE_INFINITY });
  assert.deepEqual(removed, [
    { key: 'k0', pool: 'web', file: 'k0', log: 'k0.log' },
    { key: 'k1', pool: 'web', file: 'k1', log: 'k1.log' },
  ]);
  assert.deepEqual(left(journal), ['k4', 'k3', 'k2']);
});

test('of the ended runs the newest so many are kept; what has not ended is neither counted nor forgotten', async (t) => {
  const journal = await openJournal(t);
  await journal.accept(aRun('queued', { queuedMs: 0 }));
  await journal.accept(aRun('running', { queuedMs: 0, phase: RUNNING }));
  await endedRuns(journal, 5);
  const policy = { nowMs: 1e12, maxAgeMs: Number.POSITIVE_INFINITY };
  await journal.expire({ ...policy, maxCount: 2 });
  assert.deepEqual(left(journal), ['k4', 'k3', 'running', 'queued']);
  await journal.expire({ ...policy, maxCount: 0 });
  assert.deepEqual(left(journal), ['running', 'queued']);
});

test('one call forgets a bounded number, in slices that other writes go between', async (t) => {
  const journal = await openJournal(t);
  await endedRuns(journal, 2100);
  const order: string[] = [];
  const expired = journal.expire({ nowMs: 1e12, maxAgeMs: 0, maxCount: 0, limit: 2000 });
  const accepted = journal.accept(aRun('between')).then(() => order.push('accepted'));
  const removed = await expired.then((runs) => {
    order.push('expired');
    return runs;
  });
  await accepted;
  assert.deepEqual([removed.length, order], [2000, ['accepted', 'expired']]);
  assert.equal((await journal.expire({ nowMs: 1e12, maxAgeMs: 0, maxCount: 0 })).length, 100);
});

test('a log that another run writes to is not given away', async (t) => {
  const journal = await openJournal(t);
  const names = { a: 'shared.log', b: 'shared.log', c: 'd.log', d: undefined };
  for (const [key, log] of Object.entries(names)) {
    await journal.accept(aRun(key, { spec: log === undefined ? {} : { log } }));
  }
  const expireOnly = async (key: string): Promise<unknown> => {
    await journal.record(aRun(key, { phase: ended() }));
    return (await journal.expire({ nowMs: 1e12, maxAgeMs: 0, maxCount: 0 }))[0];
  };
  assert.deepEqual(await expireOnly('a'), { key: 'a', pool: 'web', file: 'a', log: null });
  assert.deepEqual(await expireOnly('b'), { key: 'b', pool: 'web', file: 'b', log: 'shared.log' });
  assert.deepEqual(await expireOnly('d'), { key: 'd', pool: 'web', file: 'd', log: null });
  assert.deepEqual(await expireOnly('c'), { key: 'c', pool: 'web', file: 'c', log: 'd.log' });
  assert.equal(journal.get(keyOf('a')), undefined);
});

test('runs that share a log and go together give it away', async (t) => {
  const journal = await openJournal(t);
  for (const key of ['a', 'b']) await journal.accept(aRun(key, { spec: { log: 's.log' }, phase: ended() }));
  const removed = await journal.expire({ nowMs: 1e12, maxAgeMs: 0, maxCount: 0 });
  assert.deepEqual(
    removed.map(({ log }) => log),
    ['s.log', 's.log'],
  );
});

test('while the files of a run are being deleted its key is known, and freeing it waits', async (t) => {
  const journal = await openJournal(t);
  await journal.accept(aRun('k', { phase: ended() }));
  const order: string[] = [];
  let freed: Promise<unknown> = Promise.resolve();
  await journal.expire({ nowMs: 1e12, maxAgeMs: 0, maxCount: 0 }, async (runs) => {
    freed = journal.free(keyOf('k'), { tombstone: false }).then((was) => order.push(`freed: ${was}`));
    order.push(`${await journal.accept(aRun('k'))}: ${runs.map(({ key }) => key)}`);
  });
  await freed;
  assert.deepEqual(order, ['known: k', 'freed: false']);
  assert.equal(await journal.accept(aRun('k')), 'accepted');
});

test('runs whose files could not be deleted are kept for the next time', async (t) => {
  const journal = await openJournal(t);
  await endedRuns(journal, 3);
  const policy = { nowMs: 1e12, maxAgeMs: 0, maxCount: 0 };
  await assert.rejects(
    journal.expire(policy, () => Promise.reject(new Error('no'))),
    /no/,
  );
  assert.equal(left(journal).length, 3);
  assert.equal((await journal.expire(policy)).length, 3);
});

test('runs of the cloud stay until it has their outcomes, and are not counted among those that are kept', async (t) => {
  const journal = await openJournal(t);
  for (const i of [0, 1, 2]) {
    const key = `cloud-${i}`;
    await journal.accept(aRun(key, { origin: 'cloud' }));
    await journal.record(aRun(key, { origin: 'cloud', phase: ended({ endedMs: i * 100 }) }));
  }
  await endedRuns(journal, 5);
  const policy = { nowMs: 1e12, maxAgeMs: Number.POSITIVE_INFINITY };
  await journal.expire({ ...policy, maxCount: 2 });
  assert.deepEqual(left(journal), ['k4', 'k3', 'cloud-2', 'cloud-1', 'cloud-0']);
  const removed = await journal.expire({ nowMs: 1e12, maxAgeMs: 0, maxCount: 0 });
  assert.deepEqual(
    removed.map(({ key }) => key),
    ['k3', 'k4'],
  );
  assert.equal(await journal.free(keyOf('cloud-1'), { tombstone: true }), true);
  assert.deepEqual(left(journal), ['cloud-2', 'cloud-0']);
  assert.equal(await journal.settle(keyOf('cloud-0')), true);
  assert.equal(await journal.settle(keyOf('cloud-0')), false);
  assert.equal(journal.get(keyOf('cloud-0'))?.identity.origin, 'cloud');
  assert.deepEqual(
    journal.list({ origin: 'cloud', limit: 10 }).runs.map(({ identity }) => identity.key),
    ['cloud-2'],
  );
  await journal.expire({ nowMs: 1e12, maxAgeMs: 0, maxCount: 0 });
  assert.deepEqual(left(journal), ['cloud-2']);
});
