import assert from 'node:assert/strict';
import { chmodSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { RocksyError } from '../../wire/index.ts';
import { aRun, emptyFolder, keyOf, openJournal } from './fixtures/testing.ts';
import { Journal } from './index.ts';

const open = (dir: string): Promise<Journal> => Journal.open({ dir, log: () => {} });

/** A folder with a closed journal of one run, changed by SQL as another version would have done. */
async function changedFolder(t: Parameters<typeof emptyFolder>[0], sql: string): Promise<string> {
  const dir = emptyFolder(t);
  const journal = await open(dir);
  await journal.accept(aRun('k'));
  await journal.close();
  using db = new DatabaseSync(join(dir, 'journal.db'));
  db.exec(sql);
  return dir;
}

test('a schema of a newer major version is refused by name and not touched', async (t) => {
  const dir = await changedFolder(t, 'PRAGMA user_version = 2003');
  const before = readFileSync(join(dir, 'journal.db'));
  await assert.rejects(open(dir), {
    code: 'state_unwritable',
    message: `${join(dir, 'journal.db')} can't be used: a newer Rocksy wrote it (schema 2.3; this one knows 1.x)`,
    hint: /start that newer version/,
  });
  assert.deepEqual(readFileSync(join(dir, 'journal.db')), before);
});

test('a schema of a newer minor version is read, written and left as it is', async (t) => {
  const dir = await changedFolder(
    t,
    `ALTER TABLE run ADD COLUMN owner TEXT DEFAULT 'cloud'; CREATE TABLE later (a); PRAGMA user_version = 1999`,
  );
  const journal = await openJournal(t, { dir });
  assert.deepEqual(journal.get(keyOf('k')), aRun('k'));
  assert.equal(await journal.accept(aRun('l')), 'accepted');
  await journal.close();
  using db = new DatabaseSync(join(dir, 'journal.db'));
  assert.equal(db.prepare('PRAGMA user_version').get()?.user_version, 1999);
});

test("another program's database is refused", async (t) => {
  const dir = emptyFolder(t);
  {
    using db = new DatabaseSync(join(dir, 'journal.db'));
    db.exec('CREATE TABLE theirs (a)');
  }
  await assert.rejects(open(dir), { code: 'state_unwritable', message: /not a journal of Rocksy/ });
});

test('a file that is no database is refused, with what to do', async (t) => {
  const dir = emptyFolder(t);
  writeFileSync(join(dir, 'journal.db'), 'not a database, but long enough to look at'.repeat(200));
  await assert.rejects(open(dir), {
    code: 'state_unwritable',
    message: /not a database/,
    hint: /file is damaged/,
  });
});

test('a file that was cut off is refused, with what to do', async (t) => {
  const dir = await changedFolder(t, 'VACUUM');
  truncateSync(join(dir, 'journal.db'), 5000);
  await assert.rejects(open(dir), {
    code: 'state_unwritable',
    message: /malformed/,
    hint: /file is damaged/,
  });
});

test('a page that was overwritten makes reading fail by name, not the process', async (t) => {
  const dir = await changedFolder(
    t,
    `WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
     INSERT INTO run (key, pool, file, queued_ms, spec, state, phase)
     SELECT i, 'web', i, i, '{}', 'queued', '{"state":"queued"}' FROM n`,
  );
  const path = join(dir, 'journal.db');
  const bytes = readFileSync(path);
  bytes.fill(0xff, 16 * 4096, bytes.length);
  writeFileSync(path, bytes);
  const reads = async (): Promise<unknown> => {
    await using journal = await open(dir);
    return journal.unfinished();
  };
  await assert.rejects(reads(), (error) => {
    assert.ok(error instanceof RocksyError);
    assert.match(
      `${error.code} ${error.message} ${error.hint}`,
      /state_unwritable .*journal\.db.*malformed.* damaged/,
    );
    return true;
  });
});

test('a folder that is missing is named', async (t) => {
  const dir = join(emptyFolder(t), 'missing');
  await assert.rejects(open(dir), { code: 'state_unwritable', message: /missing\/journal\.db/ });
});

test('a file that others could read is made private', async (t) => {
  const dir = await changedFolder(t, 'VACUUM');
  chmodSync(join(dir, 'journal.db'), 0o644);
  await openJournal(t, { dir });
  assert.equal(statSync(join(dir, 'journal.db')).mode & 0o777, 0o600);
});
