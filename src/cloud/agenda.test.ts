import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Agenda } from './agenda.ts';
import { systemClock } from './clock.ts';
import { TestClock } from './fixtures/test-clock.ts';
import { Heap } from './heap.ts';

test('a heap gives the least first, whatever is put in and taken out between', () => {
  const move = fc.oneof(fc.integer({ min: 0, max: 50 }), fc.constant(null));
  fc.assert(
    fc.property(fc.array(move), (moves) => {
      const heap = new Heap<number>((a, b) => a < b);
      let model: number[] = [];
      for (const item of moves) {
        if (item !== null) {
          heap.push(item);
          model = [...model, item].toSorted((a, b) => a - b);
        } else assert.equal(heap.pop(), model.shift());
        assert.deepEqual([heap.peek(), heap.size], [model[0], model.length]);
      }
    }),
  );
});

test('everything is done at its time and once, and what was taken off is not', async () => {
  const clock = new TestClock(0);
  using agenda = new Agenda(clock);
  const done: string[] = [];
  const note = (name: string) => () => void done.push(`${name} at ${clock.nowMs()}`);
  agenda.at(30, note('late'));
  agenda.at(10, note('early'));
  const off = agenda.at(20, note('taken off'));
  agenda.at(10, () => {
    off[Symbol.dispose]();
    off[Symbol.dispose]();
    agenda.at(15, note('made on the way'));
    agenda.at(5, note('over already'));
  });
  await clock.advance(100);
  assert.deepEqual(done, ['early at 10', 'over already at 10', 'made on the way at 15', 'late at 30']);
});

test('nothing is done any more when its owner has put it away', async () => {
  const clock = new TestClock(0);
  const agenda = new Agenda(clock);
  agenda.at(10, () => assert.fail('it is over'));
  agenda[Symbol.dispose]();
  await clock.advance(100);
});

test('many that are taken off leave nothing behind, and the rest keeps its times', async () => {
  const clock = new TestClock(0);
  using agenda = new Agenda(clock);
  const done: number[] = [];
  for (let i = 0; i < 5_000; i++) {
    const entry = agenda.at(1_000 + i, () => void done.push(i));
    if (i % 100 !== 0) entry[Symbol.dispose]();
  }
  await clock.advance(10_000);
  assert.deepEqual(
    done,
    Array.from({ length: 50 }, (_, i) => i * 100),
  );
});

test('the machine’s clock calls at the time, not before, and not what was disposed of', async () => {
  const atMs = systemClock.nowMs() + 30;
  using _ = systemClock.at(atMs - 10, () => assert.fail('it was disposed of'));
  _[Symbol.dispose]();
  await new Promise<void>((resolve) => {
    systemClock.at(atMs, resolve);
  });
  assert.ok(systemClock.nowMs() >= atMs);
});
