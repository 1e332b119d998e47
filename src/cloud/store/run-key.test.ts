import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type JobId, type RunKey, runKeyOf, uuidV5, wireKeyOf } from './index.ts';

const DNS = '6ba7b810-9dad-11d1-80b4-00c04fd430c8';
const JOB = '11111111-2222-4333-8444-555555555555' as JobId;

test('a name in a namespace has the UUID that RFC 9562 gives it', () => {
  assert.equal(uuidV5(DNS, 'www.example.com'), '2ed6657d-e927-568b-95e1-2665a8aea6a2');
  assert.throws(() => uuidV5('no uuid', 'x'), { message: /'no uuid' is not a UUID/ });
});

test('a scheduled run has one key, whoever computes it, and another one at each due instant', () => {
  assert.equal(runKeyOf(JOB, 0), runKeyOf(JOB, 0));
  assert.equal(new Set([runKeyOf(JOB, 0), runKeyOf(JOB, 1), runKeyOf(DNS as JobId, 0)]).size, 3);
});

test('the first attempt has the key of its run, and each later one a key of its own', () => {
  const keys = [1, 2, 3].map((attempt) => wireKeyOf('k' as RunKey, attempt));
  assert.equal(keys[0], 'k');
  assert.equal(new Set(keys).size, 3);
});
