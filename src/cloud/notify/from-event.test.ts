import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logEventOf } from './event.ts';
import { endEvent, fireEvent, runEvent } from './fixtures/events.ts';
import { observationsOf } from './from-event.ts';

function seenIn(event: unknown): string[] {
  const known = logEventOf(event);
  if (known === null) return [];
  return observationsOf(known, 50).map(({ job, kind, cause, runKey, atMs }) =>
    [job, kind, cause, runKey, atMs].join(' | '),
  );
}

test('the end of a run is a failure with its error, exit code, signal or outcome, a success, or nothing but an end', () => {
  const ended_ms = 40;
  for (const [outcome, more, ...seen] of [
    ['failed', { error: 'disk full', code: 1 }, 'failed | disk full'],
    ['failed', { error: ' ', code: 3 }, 'failed | exit code 3'],
    ['killed', { signal: 'SIGKILL' }, 'failed | killed by SIGKILL'],
    ['killed', {}, 'failed | killed'],
    ['timed_out', {}, 'failed | timed out'],
    ['lost', { error: 'its host web-1 was lost' }, 'failed | its host web-1 was lost'],
    ['succeeded', {}, 'succeeded | '],
    ['cancelled', { error: 'cancelled by ann' }, 'late_over | ', 'too_long_over | '],
  ] as const)
    assert.deepEqual(
      seenIn(endEvent('r1', outcome, { ...more, ended_ms })),
      seen.map((each) => `shop/report | ${each} | r1 | 40`),
    );
});

test('a run that begins is late no more; before and in between nothing is seen of it', () => {
  const running = runEvent('r1', { state: 'running', started_ms: 30 });
  assert.deepEqual(seenIn(running), ['shop/report | late_over |  | r1 | 30']);
  for (const state of ['queued', 'starting', 'unreachable'])
    assert.deepEqual(seenIn(runEvent('r', { state })), []);
});

test('a fire that nobody wished away is missed, and a removed job is removed', () => {
  assert.deepEqual(seenIn(fireEvent('limit', 20, 'too many runs are waiting')), [
    'shop/report | missed | too many runs are waiting |  | 20',
  ]);
  assert.deepEqual(seenIn(fireEvent('misfire', 20)), ['shop/report | missed | misfire |  | 20']);
  for (const reason of ['overlap', 'paused', 'blackout', 'shadow'])
    assert.deepEqual(seenIn(fireEvent(reason, 20)), []);
  const job = { kind: 'job', project: 'shop', job_id: 'x', job: 'report' };
  assert.deepEqual(seenIn({ ...job, change: 'removed' }), ['shop/report | removed |  |  | 50']);
  assert.deepEqual(seenIn({ ...job, change: 'changed' }), []);
});

test('runs without a job and events of any other kind are passed over', () => {
  for (const event of [
    endEvent('r1', 'failed', { job: null, job_id: null }),
    endEvent('r1', 'failed', { job_id: null }),
    runEvent('r1', { state: 'dreaming' }),
    { kind: 'pause', pause: null },
    { kind: 'something', project: 'shop', job: 'report' },
    ...[null, 1, 'run', [], {}],
  ])
    assert.deepEqual(seenIn(event), []);
});
