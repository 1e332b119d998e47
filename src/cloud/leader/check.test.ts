import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mistakesIn } from './check.ts';

interface Links {
  readonly on_success?: readonly string[];
  readonly on_failure?: readonly string[];
  readonly after?: readonly string[];
}

function job(name: string, links: Links = {}, project = 'p') {
  return { project, name, on_success: [], on_failure: [], after: [], ...links };
}

const nobody = (): boolean => false;

test('jobs that name each other and those that are there are right', () => {
  const jobs = [
    job('a', { on_success: ['b'], on_failure: ['c'] }),
    job('b'),
    job('d', { after: ['a', 'b'] }),
  ];
  assert.deepEqual(
    mistakesIn(jobs, (project, name) => project === 'p' && name === 'c', [job('c')]),
    [],
  );
});

test('a name that no job of the project has is told, with the key that it stands in', () => {
  const jobs = [
    job('a', { on_success: ['x'], on_failure: ['y'], after: ['z'] }),
    job('b', { on_success: ['other'] }),
    job('other', {}, 'q'),
  ];
  assert.deepEqual(mistakesIn(jobs, nobody, []), [
    { job: 'a', key: 'on_success', message: 'there is no job x in project p' },
    { job: 'a', key: 'on_failure', message: 'there is no job y in project p' },
    { job: 'a', key: 'after', message: 'there is no job z in project p' },
    { job: 'b', key: 'on_success', message: 'there is no job other in project p' },
  ]);
});

test('a job that starts itself is found', () => {
  assert.deepEqual(
    mistakesIn([job('a', { on_failure: ['a'] })], nobody, []).map(({ message }) => message),
    ['the jobs start each other for ever: p/a → p/a'],
  );
});

test('a circle is found through all three keys, and through jobs that are there already', () => {
  const there = [job('b', { on_failure: ['c'] }), job('d', { on_success: ['a'] })];
  const mistakes = mistakesIn(
    [job('a', { on_success: ['b'] }), job('c'), job('d', { after: ['c'], on_success: ['a'] })],
    () => true,
    there,
  );
  assert.deepEqual(
    mistakes.map(({ job: name, message }) => [name, message]),
    [
      ['a', 'the jobs start each other for ever: p/a → p/b → p/c → p/d → p/a'],
      ['c', 'the jobs start each other for ever: p/c → p/d → p/a → p/b → p/c'],
      ['d', 'the jobs start each other for ever: p/d → p/a → p/b → p/c → p/d'],
    ],
  );
});

test('what leads into a circle is none itself, and ways that meet again are none', () => {
  const jobs = [
    job('into', { on_success: ['a'] }),
    job('a', { on_success: ['b', 'c'] }),
    job('b', { on_success: ['d'] }),
    job('c', { on_success: ['d'] }),
    job('d'),
  ];
  assert.deepEqual(mistakesIn(jobs, nobody, []), []);
  const circle = mistakesIn([...jobs, job('e', { after: ['d'], on_success: ['b'] })], nobody, []);
  assert.deepEqual(circle.map(({ job: name }) => name).toSorted(), ['b', 'd', 'e']);
});

test('ten thousand jobs are looked through in no time', () => {
  const jobs = Array.from({ length: 10_000 }, (_, i) =>
    job(`j${i}`, i % 10 === 9 ? {} : { on_success: [`j${i + 1}`] }),
  );
  const from = performance.now();
  assert.deepEqual(mistakesIn(jobs, nobody, []), []);
  assert.ok(performance.now() - from < 5_000);
});
