import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { RocksyError } from '../../wire/index.ts';
import { aRun, atEnd, emptyFolder, ended, inPhase, keyOf, openJournal } from './fixtures/testing.ts';
import type { Journal } from './index.ts';

const BIG = 'x'.repeat(20_000);

/** Accepts run after run until one is rejected. */
async function fillUp(journal: Journal, prefix: string): Promise<{ accepted: string[]; error: RocksyError }> {
  const accepted: string[] = [];
  for (let i = 0; i < 10_000; i++) {
    const name = `${prefix}${i}`;
    try {
      await journal.accept(aRun(name, { spec: { class: BIG } }));
      accepted.push(name);
    } catch (error) {
      return { accepted, error: error as RocksyError };
    }
  }
  throw new Error('it never filled up');
}

function isAllThere(journal: Journal, names: readonly string[]): void {
  for (const name of names) assert.ok(journal.get(keyOf(name)), `${name} was acknowledged`);
  assert.equal(journal.counts().queued, names.length);
}

function mountSmall(t: TestContext, dir: string): boolean {
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', dir]);
  if (mounted.status !== 0) return false;
  atEnd(t, () => execFileSync('umount', ['-l', dir]));
  return true;
}

test('a full disk rejects with low_disk, loses nothing acknowledged, and when space is back all works on', async (t) => {
  const dir = emptyFolder(t);
  if (!mountSmall(t, dir))
    return t.skip('mounting a tmpfs is not permitted; the test with a file size limit stands for it');
  const messages: string[] = [];
  const ballast = join(dir, 'ballast');
  writeFileSync(ballast, Buffer.alloc(400_000));
  const journal = await openJournal(t, {
    dir,
    log: (level, message) => messages.push(`${level}: ${message}`),
  });
  const first = await fillUp(journal, 'a');
  assert.equal(first.error.code, 'low_disk');
  assert.match(first.error.message, /journal\.db: database or disk is full/);
  assert.match(first.error.hint ?? '', /free some space/);
  isAllThere(journal, first.accepted);

  const batch = ['b', 'c', 'd'].map((name) => journal.accept(aRun(name, { spec: { class: BIG } })));
  const codes = (await Promise.allSettled(batch)).map((one) => one.status === 'rejected' && one.reason.code);
  assert.deepEqual(
    codes,
    ['low_disk', 'low_disk', 'low_disk'],
    'whatever shares the commit shares its failure',
  );
  const [oldest = ''] = first.accepted;
  const outcome = inPhase(aRun(oldest), ended({ result: BIG }));
  await assert.rejects(journal.record(outcome), { code: 'low_disk' });
  assert.equal(journal.get(keyOf(oldest))?.phase.state, 'queued');
  assert.equal(messages.filter((message) => message.startsWith('error')).length, 1, messages.join('\n'));

  assert.ok(statfsSync(dir).bavail < 20);
  rmSync(ballast);
  await journal.record(outcome);
  assert.deepEqual(journal.get(keyOf(oldest))?.phase, outcome.phase);
  assert.equal(await journal.accept(aRun('b')), 'accepted');
  assert.match(messages.at(-1) ?? '', /^info: .*can be written again/);
  isAllThere(journal, [...first.accepted.slice(1), 'b']);
  await journal.close();
  isAllThere(await openJournal(t, { dir }), [...first.accepted.slice(1), 'b']);
});

/** RLIMIT_FSIZE of this process; Node ignores SIGXFSZ, so write(2) fails with EFBIG. */
function limitFileSize(bytes: number | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:`]);
}

test('a log that may not grow rejects with state_unwritable, and when it may again all works on', async (t) => {
  const dir = emptyFolder(t);
  const journal = await openJournal(t, { dir });
  await journal.accept(aRun('before'));
  limitFileSize(statSync(join(dir, 'journal.db-wal')).size + 100_000);
  atEnd(t, () => limitFileSize('unlimited'));
  const { accepted, error } = await fillUp(journal, 'a');
  assert.equal(error.code, 'state_unwritable');
  assert.match(`${error.message} ${error.hint}`, /journal\.db: disk I\/O error .*faults of its file system/);
  isAllThere(journal, ['before', ...accepted]);
  limitFileSize('unlimited');
  assert.equal(await journal.accept(aRun('after')), 'accepted');
  isAllThere(journal, ['before', ...accepted, 'after']);
});
