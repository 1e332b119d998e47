import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type MisfirePolicy, madeUpFor, overlapping } from './index.ts';

const always: MisfirePolicy = { policy: 'all', withinMs: null, max: 100 };

test('what was missed is skipped, made up for once by the latest, or all of it up to a bound', () => {
  const due = [10, 20, 30, 40];
  assert.deepEqual(madeUpFor(due, { ...always, policy: 'skip' }, 50), []);
  assert.deepEqual(madeUpFor(due, { ...always, policy: 'once' }, 50), [40]);
  assert.deepEqual(madeUpFor(due, always, 50), due);
  assert.deepEqual(madeUpFor(due, { ...always, max: 2 }, 50), [30, 40]);
  assert.deepEqual(madeUpFor(due, { ...always, withinMs: 20 }, 50), [30, 40]);
  assert.deepEqual(madeUpFor(due, { ...always, policy: 'once', withinMs: 5 }, 50), []);
  assert.deepEqual(madeUpFor([], always, 50), []);
});

test('whatever was missed: only what was due is made up for, in order, none too old and not too many', () => {
  const policy = fc.record({
    policy: fc.constantFrom<MisfirePolicy['policy']>('skip', 'once', 'all'),
    withinMs: fc.option(fc.nat(1000)),
    max: fc.integer({ min: 1, max: 10 }),
  });
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(1000)), policy, (instants, how) => {
      const due = instants.toSorted((a, b) => a - b);
      const made = madeUpFor(due, how, 1000);
      assert.deepEqual(
        made,
        due.filter((at) => made.includes(at)),
      );
      assert.ok(made.length <= (how.policy === 'all' ? how.max : how.policy === 'once' ? 1 : 0));
      assert.ok(made.every((at) => how.withinMs === null || 1000 - at <= how.withinMs));
      const newest = due.at(-1);
      if (
        how.policy !== 'skip' &&
        newest !== undefined &&
        (how.withinMs === null || 1000 - newest <= how.withinMs)
      )
        assert.equal(made.at(-1), newest, 'the latest is among them');
    }),
  );
});

test('a job that still has a run: another is made, skipped, queued up to a limit, or takes its place', () => {
  const busy = { begun: ['a'], waiting: [] };
  const queue = { begun: ['a'], waiting: ['b'] };
  const plain = { run: true, cancel: [], replace: [] };
  assert.deepEqual(overlapping({ policy: 'allow', limit: 1 }, queue), plain);
  assert.deepEqual(overlapping({ policy: 'skip', limit: 1 }, busy), { run: false, reason: 'overlap' });
  assert.deepEqual(overlapping({ policy: 'queue', limit: 1 }, busy), plain);
  assert.deepEqual(overlapping({ policy: 'queue', limit: 1 }, queue), { run: false, reason: 'limit' });
  assert.deepEqual(overlapping({ policy: 'replace', limit: 1 }, queue), {
    run: true,
    cancel: ['a'],
    replace: ['b'],
  });
  for (const policy of ['allow', 'skip', 'queue', 'replace'] as const)
    assert.deepEqual(overlapping({ policy, limit: 1 }, { begun: [], waiting: [] }), plain, policy);
});

test('whatever goes on: one run at a time but with `allow`, and never more waiting than the limit', () => {
  const keys = fc.uniqueArray(fc.string({ minLength: 1 }), { maxLength: 5 });
  fc.assert(
    fc.property(keys, keys, fc.integer({ min: 1, max: 5 }), (begun, waiting, limit) => {
      const ongoing = { begun, waiting };
      const skip = overlapping({ policy: 'skip', limit }, ongoing);
      assert.equal(skip.run, begun.length + waiting.length === 0);
      const queue = overlapping({ policy: 'queue', limit }, ongoing);
      if (queue.run && begun.length > 0) assert.ok(waiting.length + 1 <= limit);
      const replace = overlapping({ policy: 'replace', limit }, ongoing);
      assert.ok(
        replace.run && replace.cancel.length === begun.length && replace.replace.length === waiting.length,
      );
    }),
  );
});
