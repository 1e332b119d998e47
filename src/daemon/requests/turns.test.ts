import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Turns } from './turns.ts';

test('so many are let in at once, the others as they came, and one that fails lets the next one in', async () => {
  const turns = new Turns(2);
  const [begun, ends]: [number[], (() => void)[]] = [[], []];
  const work = async (name: number): Promise<void> => {
    using _turn = await turns.take();
    begun.push(name);
    await new Promise<void>((resolve, reject) => {
      ends[name] = name === 1 ? () => reject(new Error('failed')) : resolve;
    });
  };
  const all = [0, 1, 2, 3].map(work);
  await nextTurn();
  assert.deepEqual(begun, [0, 1]);
  ends[1]?.();
  await assert.rejects(all[1] ?? Promise.resolve());
  assert.deepEqual(begun, [0, 1, 2]);
  const last = work(4);
  for (const name of [0, 2, 3, 4]) {
    ends[name]?.();
    await nextTurn();
  }
  await Promise.all([all[0], all[2], all[3], last]);
  assert.deepEqual(begun, [0, 1, 2, 3, 4]);
  using _one = await turns.take();
  using _two = await turns.take();
});
