import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type DueJob, DueList } from './due-list.ts';

const always = () => true;

function listOf(jobs: readonly DueJob<string>[]): DueList<string> {
  const list = new DueList<string>();
  for (const job of jobs) list.add(job);
  return list;
}

function job(id: string, dueMs: number, restedMs = 86_400_000): DueJob<string> {
  return { id, dueMs, restedMs };
}

test('jobs of one instant do not make those late that are due after them', () => {
  const list = listOf(Array.from({ length: 1_000 }, (_, i) => job(`midnight${i}`, 0)));
  list.take(10, always);
  list.add(job('after', 1_000));
  assert.ok(list.take(10, always).has('after'));
});

test('of one instant, those come first that are due often', () => {
  const daily = Array.from({ length: 1_000 }, (_, i) => job(`daily${i}`, 0));
  const list = listOf([...daily.slice(500), job('secondly', 0, 1_000), ...daily.slice(0, 500)]);
  assert.ok(list.take(2, always).has('secondly'));
});

test('however many become due each time, the oldest half of what is taken is that of all', () => {
  const list = listOf(Array.from({ length: 10 }, (_, i) => job(`old${i}`, i)));
  const taken = Array.from({ length: 5 }, (_, round) => {
    for (let i = 0; i < 100; i++) list.add(job(`new${round}.${i}`, 1_000 + round));
    return [...list.take(4, always)];
  });
  assert.deepEqual(
    taken.map((ids) => ids.slice(0, 2)),
    [0, 2, 4, 6, 8].map((i) => [`old${i}`, `old${i + 1}`]),
  );
  for (const [round, ids] of taken.entries())
    assert.ok(ids.slice(2).every((id) => id.startsWith(`new${round}.`)));
});

test('whatever is added in whatever order is taken once, and what is outdated never', () => {
  const jobs = fc.uniqueArray(
    fc.record({ id: fc.string(), dueMs: fc.nat(50), restedMs: fc.nat(5), isStill: fc.boolean() }),
    { selector: ({ id }) => id },
  );
  fc.assert(
    fc.property(jobs, fc.integer({ min: 1, max: 10 }), (all, most) => {
      const list = listOf(all);
      const still = new Map(all.map(({ id, isStill }) => [id, isStill]));
      const taken: string[] = [];
      for (;;) {
        const firstMs = list.firstMs;
        const ids = list.take(most, ({ id }) => still.get(id) === true);
        for (const id of ids) assert.ok((all.find((each) => each.id === id)?.dueMs ?? -1) >= (firstMs ?? 0));
        assert.ok(ids.size <= most);
        if (ids.size < most) assert.equal(list.firstMs, null);
        if (ids.size === 0) break;
        taken.push(...ids);
      }
      assert.deepEqual(
        taken.toSorted(),
        all
          .filter(({ isStill }) => isStill)
          .map(({ id }) => id)
          .toSorted(),
      );
    }),
  );
});
