import assert from 'node:assert/strict';
import { readFileSync, statSync, truncateSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { boundLog, planHole } from './bound.ts';
import { logFixture } from './fixture.ts';
import { readHole, writeHole } from './holes.ts';
import { readRange } from './tail.ts';

const MAX = 1 << 20;
const LINE = 'a line of a log, 32 bytes long.\n';

test('a log within its bound, or none at all, is left alone', async (t) => {
  const log = logFixture(t);
  assert.deepEqual(await boundLog(log, MAX), { state: 'within', removedBytes: 0 });
  log.append(LINE.repeat(MAX / 32));
  assert.deepEqual(await boundLog(log, MAX), { state: 'within', removedBytes: 0 });
});

test('of a log that is too large head and tail stay, and offsets stay true', async (t) => {
  const log = logFixture(t);
  log.append(LINE.repeat((4 * MAX) / 32));
  const bounded = await boundLog(log, MAX);
  assert.equal(bounded.state, 'cut');
  const { size, blocks } = statSync(log.path);
  assert.equal(size, 4 * MAX);
  assert.ok(blocks * 512 <= MAX, `${blocks} blocks`);
  const hole = await readHole(log.notes);
  assert.ok(hole !== null && hole.start % 32 === 0 && hole.end % 32 === 0);
  const line = await readRange(log, { offset: hole.start, length: 100, ends: 'final' });
  assert.equal(line.data.toString(), '[… 3.3 MiB removed …]\n');
  const after = await readRange(log, { offset: line.next, length: 32, ends: 'final' });
  assert.equal(after.data.toString(), LINE);
});

test('a log that goes on growing keeps its head, and its hole grows', async (t) => {
  const log = logFixture(t);
  log.append(LINE.repeat((2 * MAX) / 32));
  await boundLog(log, MAX);
  const first = await readHole(log.notes);
  log.append(LINE.repeat(MAX / 32));
  assert.equal((await boundLog(log, MAX)).state, 'cut');
  const second = await readHole(log.notes);
  assert.equal(second?.start, first?.start);
  assert.ok((second?.end ?? 0) > (first?.end ?? 0));
  assert.ok(statSync(log.path).blocks * 512 <= MAX);
  assert.equal((await boundLog(log, MAX)).state, 'within');
});

test('the borders of a hole in a log without lines stand at characters', async (t) => {
  const log = logFixture(t);
  log.append('€'.repeat(MAX));
  await boundLog(log, MAX);
  const hole = await readHole(log.notes);
  assert.ok(hole !== null && hole.start % 3 === 0 && hole.end % 3 === 0);
});

test('a hole that was written down and not made, because of a crash, is made by the next call', async (t) => {
  const log = logFixture(t);
  log.append(LINE.repeat(MAX / 32));
  await writeHole(log.notes, { start: 1000, end: MAX - 1000 });
  assert.equal((await boundLog(log, MAX)).state, 'within');
  assert.ok(statSync(log.path).blocks * 512 < MAX / 2);
  assert.equal(readFileSync(log.path, 'latin1').slice(0, 32), LINE);
});

test('a log that its run has cut off itself is whole again', async (t) => {
  const log = logFixture(t);
  log.append(LINE.repeat((2 * MAX) / 32));
  await boundLog(log, MAX);
  truncateSync(log.path, 100);
  assert.equal((await boundLog(log, MAX)).state, 'within');
  assert.equal(await readHole(log.notes), null);
});

test('a hole lies in whole blocks between head and tail, and what is left is within the bound', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 65_536, max: 1 << 30 }),
      fc.integer({ min: 0, max: 2 ** 42 }),
      fc.constantFrom(512, 4096, 16_384),
      fc.array(fc.integer({ min: 0, max: 1 << 30 }), { maxLength: 5 }),
      (maxBytes, first, blockBytes, growth) => {
        let former = null;
        let size = first;
        for (const more of [0, ...growth]) {
          size += more;
          const plan = planHole({ size, maxBytes, former, blockBytes });
          if (plan === null) continue;
          assert.ok(plan.start % blockBytes === 0 && plan.end % blockBytes === 0);
          assert.ok(plan.start <= maxBytes / 4 && plan.start > maxBytes / 4 - blockBytes);
          assert.ok(size - plan.end >= maxBytes / 2 && size - plan.end < maxBytes / 2 + blockBytes);
          assert.ok(former === null || plan.start === former.start);
          former = plan;
        }
      },
    ),
  );
});
