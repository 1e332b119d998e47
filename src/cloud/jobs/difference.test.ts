import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { differenceOf, type JobDefinition, parseJobs } from './index.ts';

function jobs(...names: readonly (readonly [name: string, pool: string])[]): JobDefinition[] {
  const lines = names.map(([name, pool]) => `  ${name}: { class: Daily, pool: ${pool} }\n`);
  return names.length === 0 ? [] : parseJobs(`jobs:\n${lines.join('')}`, 'jobs.yaml');
}

test('jobs are created, changed key by key, left alone, or superfluous', () => {
  const difference = differenceOf(
    jobs(['a', 'web'], ['b', 'web'], ['c', 'web']),
    jobs(['b', 'os'], ['a', 'web'], ['d', 'web']),
  );
  assert.deepEqual(
    difference.created.map(({ name }) => name),
    ['d'],
  );
  assert.deepEqual(
    difference.changed.map(({ definition, changes }) => [definition.name, changes]),
    [['b', [{ key: 'pool', before: 'web', after: 'os' }]]],
  );
  assert.deepEqual(
    difference.unchanged.map(({ name }) => name),
    ['a'],
  );
  assert.deepEqual(
    difference.superfluous.map(({ name }) => name),
    ['c'],
  );
});

test('jobs of one name in two projects are two jobs', () => {
  const [job] = jobs(['a', 'web']) as [JobDefinition];
  const other = { ...job, project: 'shop' };
  assert.deepEqual(differenceOf([job], [other]).created, [other]);
  assert.deepEqual(differenceOf([job], [other]).superfluous, [job]);
});

test('a key that a former release did not know is a change', () => {
  const [job] = jobs(['a', 'web']) as [JobDefinition];
  const { priority: _, ...former } = job;
  assert.deepEqual(differenceOf([former as JobDefinition], [job]).changed[0]?.changes, [
    { key: 'priority', before: undefined, after: 0 },
  ]);
});

test('to apply a difference makes it empty', () => {
  const some = fc.uniqueArray(
    fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.constantFrom('web', 'os')),
    { selector: ([name]) => name },
  );
  fc.assert(
    fc.property(some, some, (before, after) => {
      const wanted = jobs(...after);
      const { created, changed, unchanged, superfluous } = differenceOf(jobs(...before), wanted);
      const applied = [...created, ...changed.map(({ definition }) => definition), ...unchanged];
      const rest = differenceOf(applied, wanted);
      assert.deepEqual([rest.created, rest.changed, rest.superfluous], [[], [], []]);
      assert.equal(created.length + changed.length + unchanged.length, after.length);
      assert.equal(changed.length + unchanged.length + superfluous.length, before.length);
    }),
  );
});
