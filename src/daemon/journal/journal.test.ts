import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { parseObject, type RocksyError } from '../../wire/index.ts';
import type { Run } from '../runs/index.ts';
import { aRun, emptyFolder, ended, inPhase, keyOf, openJournal, RUNNING, until } from './fixtures/testing.ts';
import { TOMBSTONE_MS } from './index.ts';

test('an accepted run is read as soon as accept has resolved, and never overwritten', async (t) => {
  const journal = await openJournal(t);
  const run = aRun('k', {
    job: 'nightly',
    spec: { argv: ['a', 'b'], env: { A: '1' }, stdin: 'x\u0000y\ud800' },
  });
  assert.equal(await journal.accept(run), 'accepted');
  assert.deepEqual(journal.get(keyOf('k')), run);
  assert.equal(await journal.accept(aRun('k', { pool: 'other' })), 'known');
  assert.deepEqual(journal.get(keyOf('k')), run);
});

test('the parameters and the result come back as the very text that was sent', async (t) => {
  const text =
    '{"params":[12345678901234567890,1.0,-0,1e400,{"z":0.10,"a":"\\ud800 é \\u0000","__proto__":1}]}';
  const run = aRun('k', { spec: parseObject(text) });
  const result = parseObject('{"n":184467440737095516150.5000}');
  const journal = await openJournal(t);
  await journal.accept(run);
  await journal.record(inPhase(run, ended({ result })));
  const read = journal.get(keyOf('k'));
  assert.equal(JSON.stringify(read?.identity.spec), JSON.stringify(run.identity.spec));
  assert.match(JSON.stringify(read?.identity.spec), /12345678901234567890,1\.0,-0,1e400,\{"z":0\.10/);
  assert.deepEqual(read?.phase, ended({ result }));
});

test('a result too deep to be read back does not keep the outcome from being written', async (t) => {
  let deep: Run['identity']['spec']['params'] = 1;
  for (let i = 0; i < 100_000; i++) deep = [deep];
  const journal = await openJournal(t);
  await journal.accept(aRun('k'));
  await journal.record(aRun('k', { phase: ended({ result: deep }) }));
  const phase = journal.get(keyOf('k'))?.phase;
  assert.ok(phase?.state === 'ended');
  assert.equal(phase.outcome.name, 'succeeded');
  assert.match(phase.outcome.error ?? '', /nests deeper than 100/);
});

test('what could not be read back is not accepted', async (t) => {
  let params: Run['identity']['spec']['params'] = 1;
  for (let i = 0; i < 101; i++) params = [params];
  const journal = await openJournal(t);
  await assert.rejects(journal.accept(aRun('k', { spec: { params } })), { code: 'invalid_request' });
});

test('stdin is kept until the run ends, apart from what list returns', async (t) => {
  const journal = await openJournal(t);
  const run = aRun('k', { spec: { class: 'A', stdin: 'much' } });
  await journal.accept(run);
  await journal.record(inPhase(run, RUNNING));
  assert.equal(journal.get(keyOf('k'))?.identity.spec.stdin, 'much');
  assert.equal(journal.unfinished()[0]?.identity.spec.stdin, 'much');
  assert.deepEqual(journal.list({ limit: 1 }).runs[0]?.identity.spec, { class: 'A' });
  await journal.record(inPhase(run, ended()));
  assert.deepEqual(journal.get(keyOf('k'))?.identity.spec, { class: 'A' });
});

test('later phases win, nothing replaces an end, and only an end replaces running', async (t) => {
  const journal = await openJournal(t);
  const run = aRun('k');
  const stateAfter = async (phase: Run['phase']): Promise<string | undefined> => {
    await journal.record(inPhase(run, phase));
    return journal.get(keyOf('k'))?.phase.state;
  };
  await journal.accept(run);
  assert.equal(await stateAfter({ state: 'starting', generation: 1 }), 'starting');
  assert.equal(await stateAfter({ state: 'queued' }), 'queued');
  assert.equal(await stateAfter(RUNNING), 'running');
  assert.equal(await stateAfter({ state: 'starting', generation: 2 }), 'running');
  assert.equal(await stateAfter(ended()), 'ended');
  assert.equal(await stateAfter(RUNNING), 'ended');
  await journal.record(inPhase(run, ended({ name: 'lost' })));
  assert.deepEqual(journal.get(keyOf('k'))?.phase, ended());
});

test('a phase of an unknown run is rejected, and harms nobody else', async (t) => {
  const journal = await openJournal(t);
  await assert.rejects(journal.record(aRun('k', { phase: ended() })), { code: 'not_found' });
  await assert.rejects(journal.record(aRun('k', { phase: RUNNING })), { code: 'not_found' });
  assert.equal(await journal.accept(aRun('other')), 'accepted');
});

test('a phase before the end is committed like one', async (t) => {
  const journal = await openJournal(t);
  await journal.accept(aRun('k'));
  await journal.record(aRun('k', { phase: RUNNING }));
  assert.deepEqual(journal.get(keyOf('k'))?.phase, RUNNING);
});

test('only what has ended is freed; by hash its key may run again at once', async (t) => {
  const journal = await openJournal(t);
  const key = keyOf('1');
  assert.equal(await journal.free(key, { tombstone: false }), false);
  await journal.accept(aRun('1'));
  assert.equal(await journal.free(key, { tombstone: false }), false);
  await journal.record(aRun('1', { phase: ended() }));
  assert.equal(await journal.free(key, { tombstone: false }), true);
  assert.equal(journal.get(key), undefined);
  assert.equal(await journal.accept(aRun('1')), 'accepted');
});

test('a key freed with a tombstone runs again only after 30 days', async (t) => {
  let nowMs = 1_000_000;
  const journal = await openJournal(t, { now: () => nowMs });
  await journal.accept(aRun('k'));
  await journal.record(aRun('k', { phase: ended() }));
  await journal.free(keyOf('k'), { tombstone: true });
  assert.equal(await journal.accept(aRun('k')), 'freed');
  nowMs += TOMBSTONE_MS - 1;
  await journal.expire({ maxAgeMs: 0, maxCount: 0, nowMs });
  assert.equal(await journal.accept(aRun('k')), 'freed');
  nowMs += 1;
  assert.equal(journal.counts().tombstones, 1);
  await journal.expire({ maxAgeMs: 0, maxCount: 0, nowMs });
  assert.equal(journal.counts().tombstones, 0);
  assert.equal(await journal.accept(aRun('k')), 'accepted');
});

test('what belongs to one turn shares a commit, and a statement that fails fails only its own caller', async (t) => {
  const journal = await openJournal(t);
  const broken = {
    ...aRun('broken'),
    identity: { ...aRun('broken').identity, pool: {} as unknown as string },
  };
  const [first, second, third] = await Promise.allSettled([
    journal.accept(aRun('a')),
    journal.accept(broken),
    journal.accept(aRun('b')),
  ]);
  assert.deepEqual(first, { status: 'fulfilled', value: 'accepted' });
  assert.deepEqual(third, { status: 'fulfilled', value: 'accepted' });
  assert.equal(second.status === 'rejected' && (second.reason as RocksyError).code, 'internal');
  assert.deepEqual([journal.counts().queued, journal.get(keyOf('broken'))], [2, undefined]);
});

test('what waits to be written is bounded by number and by size', async (t) => {
  const journal = await openJournal(t, { tuning: { maxPending: 3, maxPendingBytes: 1000 } });
  const many = await Promise.allSettled(['a', 'b', 'c', 'd'].map((key) => journal.accept(aRun(key))));
  assert.deepEqual(
    many.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'fulfilled', 'rejected'],
  );
  const large = (key: string): Run => aRun(key, { spec: { stdin: 'x'.repeat(1000) } });
  const [, refused] = await Promise.allSettled([journal.accept(large('e')), journal.accept(large('f'))]);
  assert.equal(refused?.status === 'rejected' && (refused.reason as RocksyError).code, 'state_unwritable');
  assert.equal(await journal.accept(large('f')), 'accepted');
});

test('session numbers rise, across restarts and even when the journal was lost', async (t) => {
  let nowMs = 5_000_000;
  const dir = emptyFolder(t);
  const first = await openJournal(t, { dir, now: () => nowMs });
  assert.deepEqual([await first.nextSession(), await first.nextSession()], [5000, 5001]);
  await first.close();
  nowMs = 0;
  const second = await openJournal(t, { dir, now: () => nowMs });
  assert.equal(await second.nextSession(), 5002);
  nowMs = 5_010_000;
  const afterLoss = await openJournal(t, { now: () => nowMs });
  assert.equal(await afterLoss.nextSession(), 5010);
});

test('closing commits what waits, refuses what comes later, and leaves one private file', async (t) => {
  const dir = emptyFolder(t);
  const journal = await openJournal(t, { dir });
  const accepted = journal.accept(aRun('k'));
  const recorded = journal.record(aRun('k', { phase: RUNNING }));
  const closed = journal.close();
  await assert.rejects(journal.accept(aRun('late')), {
    code: 'state_unwritable',
    message: 'The journal is closed',
  });
  assert.equal(await accepted, 'accepted');
  await recorded;
  await closed;
  assert.deepEqual(readdirSync(dir), ['journal.db']);
  assert.equal(statSync(join(dir, 'journal.db')).mode & 0o777, 0o600);
  assert.deepEqual((await openJournal(t, { dir })).unfinished(), [aRun('k', { phase: RUNNING })]);
});

test('closing waits for a commit that is under way, and for nothing else', async (t) => {
  const journal = await openJournal(t);
  const accepted = journal.accept(aRun('k'));
  // In the next turn of the loop it is sent, and nothing waits behind it.
  await new Promise((resolve) => setImmediate(resolve));
  await journal.close();
  assert.equal(await accepted, 'accepted');
});

test('two processes of a takeover have the journal open, and each sees what the other has committed', async (t) => {
  const dir = emptyFolder(t);
  const predecessor = await openJournal(t, { dir });
  const successor = await openJournal(t, { dir });
  await Promise.all([predecessor.accept(aRun('a')), successor.accept(aRun('b'))]);
  assert.equal(await successor.accept(aRun('a')), 'known');
  assert.deepEqual(predecessor.get(keyOf('b')), successor.get(keyOf('b')));
  assert.ok((await predecessor.nextSession()) < (await successor.nextSession()));
});

test('the write-ahead log is emptied when nothing is written for a while', async (t) => {
  const dir = emptyFolder(t);
  const journal = await openJournal(t, { dir, tuning: { idleMs: 1 } });
  await journal.accept(aRun('k'));
  await until(() => statSync(join(dir, 'journal.db-wal')).size === 0);
  assert.deepEqual(journal.get(keyOf('k')), aRun('k'));
});

test('the file shrinks after a burst of large runs is gone', async (t) => {
  const dir = emptyFolder(t);
  const journal = await openJournal(t, { dir, tuning: { idleMs: 1 } });
  const stdin = 'x'.repeat(1024 * 1024);
  const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
  const size = (): number => statSync(join(dir, 'journal.db')).size;
  await Promise.all(keys.map((key) => journal.accept(aRun(key, { spec: { stdin } }))));
  await until(() => size() > 20 * stdin.length);
  await Promise.all(keys.map((key) => journal.record(aRun(key, { phase: ended() }))));
  await until(() => size() < 10 * stdin.length);
});

test('when its thread dies the journal rejects what waits and what comes, says so once, and can still be read', async (t) => {
  const threads: Worker[] = [];
  const fatal: RocksyError[] = [];
  const journal = await openJournal(t, {
    onFatal: (error) => fatal.push(error),
    tuning: { onThread: (thread) => threads.push(thread) },
  });
  await journal.accept(aRun('before'));
  const waiting = journal.accept(aRun('waiting'));
  const rejected = assert.rejects(waiting, { code: 'state_unwritable', message: /thread is gone/ });
  await threads[0]?.terminate();
  await rejected;
  await assert.rejects(journal.accept(aRun('after')), {
    code: 'state_unwritable',
    hint: /must be started again/,
  });
  assert.deepEqual(
    fatal.map(({ code }) => code),
    ['state_unwritable'],
  );
  assert.deepEqual(journal.get(keyOf('before')), aRun('before'));
});
