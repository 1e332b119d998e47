// The short form; `npm run faults -- --kills 1000` is the long one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kills } from '../support/kills.ts';

test('whoever is killed whenever: each due time has one row, and each run one execution and its true outcome', async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  t.diagnostic(`seed ${seed}`);
  const { problems, runs } = await kills(6, seed, () => undefined);
  assert.deepEqual(problems, []);
  assert.ok(runs > 0);
});
