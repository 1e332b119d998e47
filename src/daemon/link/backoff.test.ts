import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from './backoff.ts';

const five = (backoff: Backoff): number[] => Array.from({ length: 5 }, () => backoff.next());

test('each pause is twice the one before, up to the longest, and begins again after a success', () => {
  const backoff = new Backoff({ firstMs: 100, maxMs: 1_000 }, () => 0);
  assert.deepEqual(five(backoff), [100, 200, 400, 800, 1_000]);
  backoff.reset();
  assert.equal(backoff.next(), 100);
});

test('chance cuts a pause by a half at the most', () => {
  assert.deepEqual(five(new Backoff({ firstMs: 100, maxMs: 1_000 }, () => 1)), [50, 100, 200, 400, 500]);
});
