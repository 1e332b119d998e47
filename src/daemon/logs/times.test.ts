import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { logFixture } from './fixture.ts';
import { LogTimes } from './times.ts';

test('what was written since a time begins where the log ended then', async (t) => {
  const { notes } = logFixture(t);
  const times = new LogTimes();
  times.note(notes, 1000, 100);
  times.note(notes, 3000, 200);
  times.note(notes, 9000, 300);
  const since = (ms: number) => times.offsetAt(notes, ms);
  assert.deepEqual(
    await Promise.all([0, 1000, 2999, 3000, 8999, 9000, 99_000].map(since)),
    [0, 100, 100, 200, 200, 300, 300],
  );
});

test('another daemon reads what one has written, and goes on with it', async (t) => {
  const { notes } = logFixture(t);
  const first = new LogTimes();
  first.note(notes, 1000, 100);
  await first.close(notes);
  const second = new LogTimes();
  assert.equal(await second.offsetAt(notes, 5000), 100);
  second.note(notes, 5000, 500);
  await second.writeAll();
  assert.equal(await new LogTimes().offsetAt(notes, 5000), 500);
});

test('at most one pair a second, and none when nothing was written', async (t) => {
  const { notes } = logFixture(t);
  const times = new LogTimes();
  for (const [ms, size] of [
    [1000, 1],
    [1500, 2],
    [2000, 3],
    [9000, 3],
    [9100, 4],
  ] as const)
    times.note(notes, ms, size);
  await times.write(notes);
  assert.equal(statSync(`${notes}.idx`).size, 3 * 16);
});

test('it is time to write once 64 pairs wait, for another log earlier', async (t) => {
  const { notes } = logFixture(t);
  const times = new LogTimes();
  const dueAt = (log: string) =>
    Array.from({ length: 70 }, (_, at) => times.note(log, at * 1000, at + 1)).indexOf(true);
  assert.deepEqual([dueAt(notes), dueAt(`${notes}2`), dueAt(`${notes}3`)], [63, 62, 61]);
  await times.write(notes);
  assert.equal(times.note(notes, 99_000, 99), false);
});

test('a torn last pair is passed over and cut off', async (t) => {
  const { notes } = logFixture(t);
  const first = new LogTimes();
  first.note(notes, 1000, 100);
  await first.close(notes);
  appendFileSync(`${notes}.idx`, 'torn');
  const second = new LogTimes();
  assert.equal(await second.offsetAt(notes, 5000), 100);
  second.note(notes, 2000, 200);
  await second.write(notes);
  assert.equal(readFileSync(`${notes}.idx`).length, 32);
  assert.equal(await second.offsetAt(notes, 5000), 200);
});

test('an index never grows beyond 4,096 pairs and still answers', async (t) => {
  const { notes } = logFixture(t);
  const times = new LogTimes();
  for (let at = 0; at < 10_000; at += 1) if (times.note(notes, at * 1000, at * 10)) await times.write(notes);
  await times.write(notes);
  assert.ok(statSync(`${notes}.idx`).size <= 4096 * 16);
  for (const second of [0, 17, 5000, 9990]) {
    const offset = await times.offsetAt(notes, second * 1000);
    assert.ok(offset <= second * 10 && offset >= second * 10 - 160, `${second}: ${offset}`);
  }
});

test('an answer is never too late, whatever the clock does', async (t) => {
  const { notes } = logFixture(t);
  let number = 0;
  const steps = fc.array(fc.tuple(fc.integer({ min: -5000, max: 5000 }), fc.nat({ max: 50 })), {
    maxLength: 50,
  });
  await fc.assert(
    fc.asyncProperty(steps, fc.nat({ max: 50_000 }), async (changes, since) => {
      number += 1;
      const times = new LogTimes();
      let [ms, size, first] = [20_000, 0, Number.POSITIVE_INFINITY];
      for (const [later, more] of changes) {
        // What is written from now on is as old as the next look at the clock, at the latest.
        if (ms + later > since && first === Number.POSITIVE_INFINITY) first = size;
        ms += later;
        size += more;
        if (times.note(`${notes}${number}`, Math.max(0, ms), size)) await times.write(`${notes}${number}`);
      }
      assert.ok((await times.offsetAt(`${notes}${number}`, since)) <= Math.min(first, size));
    }),
    { numRuns: 100 },
  );
});
