import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextAttemptMs } from './retry.ts';

test('a delivery is tried seven times within some seven hours, and then given up', () => {
  const waits = [1, 2, 3, 4, 5, 6, 7].map((made) => nextAttemptMs(made, 0, null));
  assert.deepEqual(waits, [5_000, 30_000, 120_000, 600_000, 3_600_000, 21_600_000, null]);
});

test('a receiver that asks for a longer pause has it, within reason', () => {
  assert.equal(nextAttemptMs(1, 1000, 60_000), 61_000);
  assert.equal(nextAttemptMs(2, 0, 1000), 30_000);
  assert.equal(nextAttemptMs(1, 0, Number.MAX_SAFE_INTEGER), 21_600_000);
  assert.equal(nextAttemptMs(7, 0, 60_000), null);
});
