import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settled, until } from '../fixtures/test-clock.ts';
import type { NewRun, RunCommit, RunKey } from '../store/index.ts';
import { activeOf, changeOf } from './active.ts';
import { MemoryRuns } from './fixtures/memory-runs.ts';
import { Commits, type CommitsOptions } from './index.ts';

class LeaseLost extends Error {}

function runOf(key: string, queuedMs = 0): NewRun {
  return {
    ...{ key: key as RunKey, jobId: null, jobVersion: null, project: 'p', pool: 'main', spec: {} },
    cause: { kind: 'api', ref: null },
    ...{ priority: 0, queuedMs, dueMs: null, notBeforeMs: queuedMs },
  };
}

/** Commits into memory; each answer of `fate` is for one try. */
function commitsWith(
  runs: MemoryRuns,
  fate: () => 'made' | 'failed' | 'made, not told' | 'lost' = () => 'made',
) {
  const written: RunCommit[] = [];
  const told: string[] = [];
  const options: CommitsOptions = {
    write: async (commit) => {
      const now = fate();
      if (now === 'lost') throw new LeaseLost('another leads');
      if (now === 'failed') throw new Error('the store fails');
      const result = runs.commit(commit);
      if (now === 'made, not told') throw new Error('the connection broke');
      written.push(commit);
      return result;
    },
    find: async (keys) => keys.flatMap((key) => runs.records.get(key) ?? []),
    nowMs: () => 0,
    published: (events, id) => void told.push(`${id}: ${events.join(' ')}`),
    failed: () => void told.push('failed'),
    isFinal: (error) => error instanceof LeaseLost,
    lost: () => void told.push('lost'),
  };
  return { commits: new Commits(options), written, told };
}

function fates(...list: readonly ('made' | 'failed' | 'made, not told' | 'lost')[]) {
  const left = [...list];
  return () => left.shift() ?? 'made';
}

test('a commit has an end, but what is given in one go is never parted', async () => {
  const runs = new MemoryRuns();
  const { commits, written } = commitsWith(runs);
  commits.created(runOf('first'), 'first', () => undefined);
  for (let go = 0; go < 20; go++) {
    for (let i = 0; i < 100; i++) commits.created(runOf(`${go}/${i}`), 'e', () => undefined);
    await Promise.resolve();
  }
  for (let i = 0; i < 1_000; i++) commits.created(runOf(`all/${i}`), 'e', () => undefined);
  await commits.flush();
  assert.equal(runs.records.size, 3_001);
  const isOfLast = ({ created }: RunCommit) => created.some(({ key }) => key.startsWith('all/'));
  assert.equal(written.filter(isOfLast).length, 1);
  for (const { created } of written.filter((commit) => !isOfLast(commit))) assert.ok(created.length <= 400);
});

test('what comes while a commit is under way goes with the next one, all of it', async () => {
  const { commits, written, told } = commitsWith(new MemoryRuns());
  const isNew: boolean[] = [];
  for (let i = 0; i < 50; i++) commits.created(runOf(`a${i}`), `a${i}`, (fresh) => isNew.push(fresh));
  await new Promise<void>((resolve) => {
    commits.created(runOf('b'), 'b', () => {
      for (let i = 0; i < 50; i++) commits.created(runOf(`c${i}`), `c${i}`, (fresh) => isNew.push(fresh));
      resolve();
    });
  });
  await commits.flush();
  assert.deepEqual(
    written.map(({ created }) => created.length),
    [51, 50],
  );
  assert.deepEqual([isNew.length, isNew.every(Boolean)], [100, true]);
  assert.equal(told.length, 2);
});

test('what follows from a commit is done after it, in order, and what that brings about is written as well', async () => {
  const runs = new MemoryRuns();
  const { commits } = commitsWith(runs);
  const done: string[] = [];
  const active = activeOf({ ...runOf('a'), job: null } as never);
  commits.created(active.created, 'new', (isNew) => done.push(`new: ${isNew}`));
  const change = changeOf(active);
  await new Promise<void>((resolve) => {
    commits.changed(change, 'changed', [
      () => done.push(`changed: ${runs.records.has('a' as RunKey)}`),
      // At every moment that comes after it, to the microtask.
      () => {
        let turn = Promise.resolve();
        for (let i = 0; i < 20; i++) {
          const key = `later${i}`;
          turn = turn.then(() => commits.created(runOf(key), key, () => undefined));
        }
        void turn.then(() => resolve());
      },
    ]);
  });
  await settled();
  assert.deepEqual(done, ['new: true', 'changed: true']);
  assert.equal(runs.records.size, 21, 'nothing waits for the next that comes by chance');
});

for (let i = 0; i < 6; i++) {
  test(`what comes ${i} microtasks after the last of a commit is written by itself`, async () => {
    const runs = new MemoryRuns();
    const { commits } = commitsWith(runs);
    commits.changed({ ...changeOf(activeOf({ ...runOf('a'), job: null } as never)) }, 'a', [
      () => {
        let turn = Promise.resolve();
        for (let k = 0; k < i; k++) turn = turn.then(() => undefined);
        void turn.then(() => commits.created(runOf('late'), 'late', () => undefined));
      },
    ]);
    commits.created(runOf('a'), 'a', () => undefined);
    await settled();
    assert.ok(runs.records.has('late' as RunKey));
  });
}

test('a store that fails is asked until it does not, and nothing is done before', async () => {
  const runs = new MemoryRuns();
  const { commits, told } = commitsWith(runs, fates('failed', 'failed'));
  let isNew: boolean | null = null;
  commits.created(runOf('a'), 'a', (fresh) => {
    isNew = fresh;
  });
  await settled();
  assert.deepEqual([isNew, told], [null, ['failed']]);
  await until(() => isNew !== null);
  assert.deepEqual([isNew, told], [true, ['failed', 'failed', '1: a']]);
});

test('a run that a commit made whose answer was lost is new; one that was there before is not', async () => {
  const runs = new MemoryRuns();
  runs.commit({ ...EMPTY, created: [runOf('old', 1)] });
  const { commits } = commitsWith(runs, fates('made, not told', 'made', 'failed', 'made', 'made, not told'));
  const ask = (run: NewRun): Promise<boolean> => new Promise((resolve) => commits.created(run, 0, resolve));
  assert.equal(await ask(runOf('fresh', 5)), true);
  assert.equal(await ask(runOf('old', 6)), false);
  await commits.flush();
  assert.deepEqual(await Promise.all([ask(runOf('old', 7)), ask(runOf('fresh too', 7))]), [false, true]);
});

test('once another leads nothing is written any more, and nothing that waited is done', async () => {
  const runs = new MemoryRuns();
  const { commits, told } = commitsWith(runs, fates('lost'));
  commits.created(runOf('a'), 'a', () => assert.fail('it is not in the store'));
  await settled();
  commits.created(runOf('b'), 'b', () => assert.fail('nor is this'));
  await commits.flush();
  await settled();
  assert.deepEqual([told, runs.records.size], [['lost'], 0]);
});

const EMPTY: RunCommit = { created: [], changes: [], attempts: [], arrivals: [], events: [], nowMs: 0 };
