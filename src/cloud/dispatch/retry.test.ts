import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { retryDelayMs } from './index.ts';

const POLICY = { max: 5, backoff_ms: 1000, factor: 3, max_backoff_ms: 20_000 };

test('each wait is longer than the one before, up to a bound, and half of it is chance', () => {
  const shortest = [1, 2, 3, 4, 5].map((made) => retryDelayMs(POLICY, made, 0));
  assert.deepEqual(shortest, [500, 1500, 4500, 10_000, 10_000]);
  assert.equal(retryDelayMs(POLICY, 6, 0), null);
  assert.equal(retryDelayMs({ ...POLICY, max: 0 }, 1, 0), null);
});

test('a wait lies between half of the backoff and the whole, however many there were', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1000 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (made, random) => {
        const delay = retryDelayMs({ ...POLICY, max: 1000 }, made, random) ?? -1;
        assert.ok(delay >= 500 && delay <= 20_000);
      },
    ),
  );
});
