import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jobFixture, noticeFixture } from './fixtures/notices.ts';
import { deliveriesOf } from './route.ts';

const SLACK = { kind: 'slack', on: ['failed'], projects: null, url: 'https://x.org/' } as const;

function channel(name: string, on: ('failed' | 'late')[], projects: string[] | null) {
  return { ...SLACK, name, on, projects };
}

const notice = noticeFixture({
  jobs: [jobFixture('a/1'), jobFixture('b/1'), jobFixture('a/2')],
  more: [
    { project: 'a', count: 3 },
    { project: 'b', count: 4 },
  ],
});

test('a channel gets the kinds that it wants, and of its projects only', () => {
  const channels = [
    channel('all', ['late', 'failed'], null),
    channel('late', ['late'], null),
    channel('a', ['failed'], ['a']),
    channel('c', ['failed'], ['c']),
  ];
  const [all, a, ...others] = deliveriesOf(notice, channels, 5);
  assert.deepEqual([all?.channel, all?.notice, all?.dueMs], ['all', notice, 5]);
  assert.deepEqual([a?.channel, a?.notice.jobs.map(({ job }) => job)], ['a', ['a/1', 'a/2']]);
  assert.deepEqual(a?.notice.more, [{ project: 'a', count: 3 }]);
  assert.deepEqual(others, []);
});

test('the same notice for the same channel is the same delivery', () => {
  const [one, two] = deliveriesOf(
    notice,
    [channel('x', ['failed'], null), channel('y', ['failed'], null)],
    5,
  );
  const [later] = deliveriesOf(notice, [channel('x', ['failed'], null)], 9);
  assert.equal(later?.id, one?.id);
  assert.notEqual(two?.id, one?.id);
});
