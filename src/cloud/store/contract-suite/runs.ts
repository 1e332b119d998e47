import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostId, RunFilter, RunKey } from '../index.ts';
import { aJob, by, changed, commitOf, definitions, newRun, type Stores } from './fixtures.ts';

export function runsSuite(stores: Stores): void {
  test('runs are created once, changed while they go on, and end once', async () => {
    await using store = await stores.one();
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
    await using store = await stores.one();
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
    await using store = await stores.one();
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
    await using store = await stores.one();
    const broken = changed('a', { state: 'ended' });
    await assert.rejects(store.runs.commit(commitOf({ created: [newRun('a')], changes: [broken] }), null));
    assert.equal(await store.runs.get('a' as RunKey), null);
  });

  test('runs are listed newest first, page by page, by every filter', async () => {
    await using store = await stores.one();
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
    await using store = await stores.one();
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
    await using store = await stores.one();
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
}
