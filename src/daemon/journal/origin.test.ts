import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { aRun, emptyFolder, ended, keyOf, openJournal } from './fixtures/testing.ts';
import type { Journal, ListFilter } from './index.ts';

const listed = (journal: Journal, filter: Partial<ListFilter>): string[] =>
  journal.list({ limit: 100, ...filter }).runs.map(({ identity }) => identity.key);

test('a run is read back with who has asked for it', async (t) => {
  const journal = await openJournal(t);
  await journal.accept(aRun('here'));
  await journal.accept(aRun('there', { origin: 'cloud' }));
  assert.equal(journal.get(keyOf('here'))?.identity.origin, 'local');
  assert.equal(journal.get(keyOf('there'))?.identity.origin, 'cloud');
  assert.deepEqual(
    journal.unfinished().map(({ identity }) => identity.origin),
    ['local', 'cloud'],
  );
});

test('list by origin goes with pool and state, and by pages', async (t) => {
  const journal = await openJournal(t);
  for (let i = 0; i < 9; i++) {
    const traits = { origin: i % 3 === 0 ? 'local' : 'cloud', pool: i < 5 ? 'web' : 'mail' } as const;
    await journal.accept(aRun(`k${i}`, traits));
    if (i > 6) await journal.record(aRun(`k${i}`, { ...traits, phase: ended() }));
  }
  const cloud = { origin: 'cloud' } as const;
  assert.deepEqual(listed(journal, cloud), ['k8', 'k7', 'k5', 'k4', 'k2', 'k1']);
  assert.deepEqual(listed(journal, { ...cloud, pool: 'web' }), ['k4', 'k2', 'k1']);
  assert.deepEqual(listed(journal, { ...cloud, state: 'active' }), ['k5', 'k4', 'k2', 'k1']);
  assert.deepEqual(listed(journal, { ...cloud, state: 'ended', pool: 'mail' }), ['k8', 'k7']);
  const { next } = journal.list({ ...cloud, limit: 2 });
  assert.deepEqual(listed(journal, { ...cloud, limit: 2, before: next ?? undefined }), ['k5', 'k4']);
});

test('list by origin looks at no row of anybody else', async (t) => {
  const dir = emptyFolder(t);
  await openJournal(t, { dir });
  using db = new DatabaseSync(join(dir, 'journal.db'));
  const plan = db
    .prepare(
      `EXPLAIN QUERY PLAN SELECT seq, key FROM run INDEXED BY run_origin
       WHERE seq < ? AND origin = ? AND state <> 'ended' ORDER BY seq DESC LIMIT ?`,
    )
    .all()
    .map(({ detail }) => String(detail));
  assert.deepEqual(plan, ['SEARCH run USING INDEX run_origin (origin=? AND seq<?)']);
});

test('a journal of before there were origins is brought up to date, and its runs are local', async (t) => {
  const dir = emptyFolder(t);
  const before = await openJournal(t, { dir });
  await before.accept(aRun('old'));
  await before.close();
  {
    using db = new DatabaseSync(join(dir, 'journal.db'));
    db.exec('DROP INDEX run_origin; ALTER TABLE run DROP COLUMN origin; PRAGMA user_version = 1000');
  }
  const journal = await openJournal(t, { dir });
  assert.deepEqual(journal.get(keyOf('old')), aRun('old'));
  await journal.accept(aRun('new', { origin: 'cloud' }));
  assert.deepEqual(listed(journal, { origin: 'cloud' }), ['new']);
});
