import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { Run } from '../runs/index.ts';
import { aRun, emptyFolder, ended, keyOf, openJournal, RUNNING } from './fixtures/testing.ts';
import type { Journal, ListFilter } from './index.ts';

const keysOf = (runs: readonly Run[]): string[] => runs.map(({ identity }) => identity.key);

/** All pages of a list, one after the other. */
function pages(journal: Journal, filter: ListFilter): string[][] {
  const all: string[][] = [];
  let before: string | undefined;
  do {
    const page = journal.list({ ...filter, before });
    all.push(keysOf(page.runs));
    before = page.next ?? undefined;
  } while (before !== undefined);
  return all;
}

async function sixRuns(journal: Journal): Promise<void> {
  for (const [i, pool] of ['web', 'mail', 'web', 'mail', 'web', 'web'].entries()) {
    await journal.accept(aRun(`k${i}`, { pool }));
  }
  await journal.record(aRun('k0', { phase: ended() }));
  await journal.record(aRun('k2', { phase: RUNNING }));
  await journal.record(aRun('k3', { phase: { state: 'starting', generation: 3 } }));
  await journal.record(aRun('k5', { phase: ended() }));
}

test('list goes from the newest to the oldest, page by page, by pool and by state', async (t) => {
  const journal = await openJournal(t);
  await sixRuns(journal);
  assert.deepEqual(pages(journal, { limit: 4 }), [
    ['k5', 'k4', 'k3', 'k2'],
    ['k1', 'k0'],
  ]);
  assert.deepEqual(pages(journal, { limit: 6 }), [['k5', 'k4', 'k3', 'k2', 'k1', 'k0']]);
  assert.deepEqual(pages(journal, { limit: 9, state: 'active' }), [['k4', 'k3', 'k2', 'k1']]);
  assert.deepEqual(pages(journal, { limit: 1, state: 'queued' }), [['k4'], ['k1']]);
  assert.deepEqual(pages(journal, { limit: 9, state: 'starting' }), [['k3']]);
  assert.deepEqual(pages(journal, { limit: 9, state: 'running', pool: 'mail' }), [[]]);
  assert.deepEqual(pages(journal, { limit: 1, state: 'ended' }), [['k5'], ['k0']]);
  assert.deepEqual(pages(journal, { limit: 3, pool: 'web' }), [['k5', 'k4', 'k2'], ['k0']]);
  assert.deepEqual(pages(journal, { limit: 9, pool: 'web', state: 'active' }), [['k4', 'k2']]);
  assert.deepEqual(pages(journal, { limit: 9, pool: 'web', state: 'ended' }), [['k5', 'k0']]);
});

test('a cursor stays true when runs come and go between two pages', async (t) => {
  const journal = await openJournal(t);
  await sixRuns(journal);
  const { next } = journal.list({ limit: 2 });
  await journal.free(keyOf('k5'), { tombstone: false });
  await journal.accept(aRun('newer'));
  await journal.record(aRun('k4', { phase: ended() }));
  await journal.free(keyOf('k4'), { tombstone: false });
  assert.deepEqual(keysOf(journal.list({ limit: 2, before: next ?? undefined }).runs), ['k3', 'k2']);
  assert.throws(() => journal.list({ limit: 2, before: 'x' }), { code: 'invalid_request' });
});

test('a page of large runs ends before its limit', async (t) => {
  const journal = await openJournal(t);
  const params = 'x'.repeat(1024 * 1024);
  for (let i = 0; i < 6; i++) await journal.accept(aRun(`k${i}`, { spec: { params } }));
  assert.deepEqual(pages(journal, { limit: 1000 }), [
    ['k5', 'k4', 'k3', 'k2'],
    ['k1', 'k0'],
  ]);
});

test('unfinished runs come oldest first, and everything is counted by state', async (t) => {
  const journal = await openJournal(t);
  await sixRuns(journal);
  assert.deepEqual(keysOf(journal.unfinished()), ['k1', 'k2', 'k3', 'k4']);
  await journal.free(keyOf('k0'), { tombstone: true });
  assert.deepEqual(journal.counts(), { queued: 2, starting: 1, running: 1, ended: 1, tombstones: 1 });
});

const SCALE = 100_000;

/** Ended runs by the hundred thousand, put into the file directly; the last 500 wait in the queue. */
function fill(dir: string): string[] {
  using db = new DatabaseSync(join(dir, 'journal.db'), { timeout: 10_000 });
  db.exec(`
    WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ${SCALE})
    INSERT INTO run (key, pool, file, queued_ms, spec, state, ended_ms, phase)
    SELECT printf('%08x-%d', (i * 2654435761) & 0xffffffff, i), 'web', i, i, '{"class":"Report","params":[1,"two"]}',
      iif(i > ${SCALE - 500}, 'queued', 'ended'), iif(i > ${SCALE - 500}, NULL, i),
      iif(i > ${SCALE - 500}, '{"state":"queued"}', '${JSON.stringify(ended())}') FROM n`);
  return db
    .prepare('SELECT key FROM run')
    .all()
    .map(({ key }) => String(key));
}

test('among 100,000 runs get takes far less than a millisecond, and a page not much more', async (t) => {
  const dir = emptyFolder(t);
  const journal = await openJournal(t, { dir });
  const keys = fill(dir);
  const times: number[] = [];
  for (let i = 0; i < 20_000; i++) {
    const key = keyOf(keys[(i * 7919) % SCALE] ?? '');
    const begin = performance.now();
    assert.ok(journal.get(key));
    times.push(performance.now() - begin);
  }
  times.sort((a, b) => a - b);
  // The median: what others make of a busy machine is in the rest. A search through all would take some milliseconds.
  const p50 = times[10_000] ?? Number.POSITIVE_INFINITY;
  t.diagnostic(`get: p50 ${p50.toFixed(4)} ms, p99 ${times[19_800]?.toFixed(4)} ms`);
  assert.ok(p50 < 1, `p50 is ${p50} ms`);
  const begin = performance.now();
  for (const state of ['active', 'queued', 'ended', undefined] as const) {
    for (const pool of ['web', undefined])
      assert.equal(journal.list({ limit: 100, state, pool }).runs.length, 100);
  }
  const eight = performance.now() - begin;
  t.diagnostic(`eight pages of 100: ${eight.toFixed(1)} ms`);
  assert.ok(eight < 400, `eight pages took ${eight} ms`);
});
