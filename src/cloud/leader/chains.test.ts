import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedHost } from '../fixtures/simulated-host.ts';
import { settled, TestClock } from '../fixtures/test-clock.ts';
import type { RunKey, RunRecord } from '../store/index.ts';
import { jobOf, TestCloud } from './fixtures/cloud.ts';

const NOON = Date.UTC(2026, 0, 5, 12);

/** A cloud with one host. */
async function cloudWithHost() {
  const cloud = await TestCloud.create(new TestClock(NOON));
  const host = new SimulatedHost({ clock: cloud.clock });
  host.connect((await cloud.start()).dispatcher);
  return { cloud, host };
}

async function trigger(cloud: TestCloud, name: string): Promise<RunKey> {
  const job = await cloud.job(name);
  const { key } = await cloud.leader.trigger(job, { cause: { kind: 'api', ref: null } });
  await settled();
  return key;
}

async function runsOf(cloud: TestCloud, name: string): Promise<readonly RunRecord[]> {
  const { id } = await cloud.job(name);
  const { items } = await cloud.store.runs.list({ projects: ['p'], limit: 100 });
  return items.filter(({ jobId }) => jobId === id);
}

test('what follows from a success is started with its result, and by a failure is not', async () => {
  const { cloud, host } = await cloudWithHost();
  await using _ = cloud;
  await cloud.apply(
    jobOf('extract', { on_success: ['load'], on_failure: ['tidy'] }),
    jobOf('load', {}),
    jobOf('tidy', {}),
  );
  const first = await trigger(cloud, 'extract');
  host.end(first, 'succeeded', { result: { rows: 3 } });
  await settled();
  const [load] = await runsOf(cloud, 'load');
  assert.ok(load !== undefined);
  assert.deepEqual(load.cause, { kind: 'parent', ref: first });
  assert.deepEqual(JSON.parse(host.variables.get(load.key)?.ROCKSY_PARENTS ?? '[]'), [
    { job: 'extract', key: first, outcome: 'succeeded', code: 0, result: { rows: 3 } },
  ]);
  assert.deepEqual(await runsOf(cloud, 'tidy'), []);
  const second = await trigger(cloud, 'extract');
  host.end(second, 'failed');
  await settled();
  assert.deepEqual([(await runsOf(cloud, 'load')).length, (await runsOf(cloud, 'tidy')).length], [1, 1]);
});

test('nothing follows from what is cancelled, from what is tried again, or twice from the same', async () => {
  const { cloud, host } = await cloudWithHost();
  await using _ = cloud;
  await cloud.apply(
    jobOf('extract', { on_success: ['next'], on_failure: ['next'], retry: { failure: { max: 1 } } }),
    jobOf('next', {}),
  );
  const cancelled = await trigger(cloud, 'extract');
  cloud.leader.dispatcher.cancel(cancelled, 'ann');
  await settled();
  const retried = await trigger(cloud, 'extract');
  host.end(retried, 'failed');
  await settled();
  assert.deepEqual(await runsOf(cloud, 'next'), []);
  await cloud.clock.advance(60_000);
  const [second] = host.running;
  assert.ok(second !== undefined);
  host.end(second, 'succeeded');
  // It is told again, by another connection and to another leader.
  host.goAway();
  await settled();
  host.connect((await cloud.restart()).dispatcher);
  await settled();
  assert.equal((await runsOf(cloud, 'next')).length, 1);
});

test('a job after several others starts when the last has succeeded, though the cloud was killed in between', async () => {
  const { cloud, host } = await cloudWithHost();
  await using _ = cloud;
  await cloud.apply(
    jobOf('a', {}),
    jobOf('b', {}),
    jobOf('c', {}),
    jobOf('join', { after: ['a', 'b', 'c'] }),
  );
  const end = async (name: string, result: unknown): Promise<RunKey> => {
    const key = await trigger(cloud, name);
    host.end(key, 'succeeded', { result: result as never });
    await settled();
    return key;
  };
  for (let round = 1; round <= 2; round++) {
    const keys: RunKey[] = [];
    for (const name of ['c', 'a', 'b']) {
      assert.equal((await runsOf(cloud, 'join')).length, round - 1);
      keys.push(await end(name, `${name}${round}`));
      cloud.crash();
      host.goAway();
      host.connect((await cloud.start()).dispatcher);
      await settled();
    }
    const joined = await runsOf(cloud, 'join');
    assert.equal(joined.length, round);
    const latest = joined.find(({ key }) => host.running.includes(key));
    assert.ok(latest !== undefined);
    const parents = JSON.parse(host.variables.get(latest.key)?.ROCKSY_PARENTS ?? '[]') as {
      result: string;
    }[];
    assert.deepEqual(
      parents.map(({ result }) => result),
      [`a${round}`, `b${round}`, `c${round}`],
    );
    host.end(latest.key, 'succeeded');
    await settled();
    assert.deepEqual(await cloud.store.runs.arrivals(), [], 'it waits anew');
  }
});

test('a failed parent starts nothing that waits for it, and its next success does', async () => {
  const { cloud, host } = await cloudWithHost();
  await using _ = cloud;
  await cloud.apply(jobOf('a', {}), jobOf('b', {}), jobOf('join', { after: ['a', 'b'] }));
  host.end(await trigger(cloud, 'a'), 'succeeded');
  host.end(await trigger(cloud, 'b'), 'failed');
  await settled();
  assert.deepEqual(await runsOf(cloud, 'join'), []);
  host.end(await trigger(cloud, 'b'), 'succeeded');
  await settled();
  assert.equal((await runsOf(cloud, 'join')).length, 1);
});

test('what follows is in the store with the end that it follows from, or neither is', async () => {
  const { cloud, host } = await cloudWithHost();
  await using _ = cloud;
  await cloud.apply(jobOf('extract', { on_success: ['load'] }), jobOf('load', {}));
  const key = await trigger(cloud, 'extract');
  cloud.fault = (call) => (call === 'commit' ? 'before' : 'none');
  host.end(key, 'succeeded');
  await settled();
  cloud.crash();
  host.goAway();
  assert.equal((await cloud.store.runs.get(key))?.state, 'running');
  assert.deepEqual(await runsOf(cloud, 'load'), []);
  cloud.fault = () => 'none';
  host.connect((await cloud.start()).dispatcher);
  await settled();
  assert.equal((await cloud.store.runs.get(key))?.state, 'ended');
  assert.equal((await runsOf(cloud, 'load')).length, 1);
});

test('jobs that are applied later than those that start them are started', async () => {
  const { cloud, host } = await cloudWithHost();
  await using _ = cloud;
  await cloud.apply(jobOf('load', {}));
  await cloud.restart();
  host.goAway();
  host.connect(cloud.leader.dispatcher);
  await cloud.apply(jobOf('extract', { on_success: ['load', 'later'] }));
  await cloud.apply(jobOf('later', {}));
  host.end(await trigger(cloud, 'extract'), 'succeeded');
  await settled();
  assert.deepEqual([(await runsOf(cloud, 'load')).length, (await runsOf(cloud, 'later')).length], [1, 1]);
});

test('a shadow is started by nothing that ends', async () => {
  const { cloud, host } = await cloudWithHost();
  await using _ = cloud;
  await cloud.apply(
    jobOf('extract', { on_success: ['load'] }),
    jobOf('load', { shadow: true }),
    jobOf('join', { after: ['extract'], shadow: true }),
  );
  host.end(await trigger(cloud, 'extract'), 'succeeded');
  await settled();
  assert.deepEqual([await runsOf(cloud, 'load'), await runsOf(cloud, 'join')], [[], []]);
});
