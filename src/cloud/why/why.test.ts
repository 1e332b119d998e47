import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobId, LedgerEntry, RunKey, RunRecord } from '../store/index.ts';
import { explain, type Facts } from './why.ts';

const NOON = Date.UTC(2026, 0, 31, 12);
const MINUTE = 60_000;

const facts = (more: Partial<Facts> = {}): Facts => ({
  name: 'shop/report',
  nowMs: NOON + 30_000,
  createdMs: NOON - 86_400_000,
  deletedMs: null,
  pause: null,
  pauseOfAll: null,
  timing: {
    schedules: [{ kind: 'every', everyMs: MINUTE, offsetMs: 0 }],
    startMs: null,
    endMs: null,
    blackouts: [],
  },
  schedule: ['every 1m'],
  after: [],
  instances: null,
  fire: null,
  run: null,
  others: [],
  time: (ms) => new Date(ms).toISOString().slice(11, 19),
  ...more,
});

const fire = (became: LedgerEntry['became']): LedgerEntry => ({
  jobId: 'j' as JobId,
  dueMs: NOON,
  decidedMs: NOON,
  version: 1,
  became,
});

const run = (more: Partial<RunRecord>): RunRecord =>
  ({
    key: 'before' as RunKey,
    state: 'queued',
    queuedMs: NOON - MINUTE,
    startedMs: null,
    cancelRequestedBy: null,
    cause: { kind: 'schedule', ref: null },
    ...more,
  }) as RunRecord;

test('what was skipped for the run before it says what that one waits for', () => {
  const skipped = fire({ verdict: 'skipped', reason: 'overlap', detail: 'before has not ended' });
  const others = [{ run: run({}), waitsFor: 'no host takes it (vm: has no such pool)', hostName: null }];
  const told = [
    'It was skipped: a run before it had not ended, and its overlap policy says skip (before has not ended).',
    'A run of it has not ended: before (schedule).',
    'It waits since 11:59:00: no host takes it (vm: has no such pool).',
  ];
  const now = explain(facts({ fire: skipped, others }), null);
  assert.deepEqual(now.slice(2, 5), told);
  assert.deepEqual(explain(facts({ fire: skipped, others }), NOON).slice(1), told);
  const later = [{ run: run({ queuedMs: NOON + MINUTE }), waitsFor: null, hostName: null }];
  assert.deepEqual(
    explain(facts({ fire: skipped, others: later }), NOON).slice(1),
    told.slice(0, 1),
    'what came after it was not in its way',
  );
});

test('a job without a schedule tells of its latest run', () => {
  const cause = { kind: 'api', ref: 'root' } as const;
  const latest = run({
    state: 'ended',
    outcome: 'failed',
    code: 3,
    error: null,
    attempt: 1,
    endedMs: NOON,
    cause,
  });
  const timing = { schedules: [], startMs: null, endMs: null, blackouts: [] };
  const others = [{ run: latest, waitsFor: null, hostName: 'web-1' }];
  assert.deepEqual(explain(facts({ schedule: [], timing, others }), null), [
    'shop/report has no schedule: it runs when somebody, or another job, asks for it.',
    'Its latest run is before (api root).',
    'It failed (3) on web-1.',
  ]);
});

test('a job that follows from others says so, and one with instances how they stand', () => {
  const timing = { schedules: [], startMs: null, endMs: null, blackouts: [] };
  assert.deepEqual(explain(facts({ schedule: [], timing, after: ['load', 'check'] }), null), [
    'shop/report runs when load and check have succeeded since it ran last.',
  ]);
  const instances = {
    ...{ wanted: 3, present: 2, ending: 1, backlog: 25, backlog_at_ms: NOON, slowed_until_ms: NOON + MINUTE },
    ...{ backlog_error: 'no such table: mails', backlog_failing_since_ms: NOON },
  };
  assert.deepEqual(explain(facts({ schedule: [], timing, instances }), null), [
    'shop/report has 2 of 3 instances that it is to have, and 1 more is ending.',
    'Its backlog was 25 at 12:00:00.',
    "Its backlog can't be read since 12:00:00: no such table: mails.",
    'Its instances end as soon as they begin: none is started before 12:01:00.',
  ]);
});

test('before its start a job is due next at that, and after its end it says so', () => {
  const { timing } = facts();
  const [starts, ended] = [NOON + 90 * MINUTE, NOON - MINUTE];
  assert.deepEqual(explain(facts({ timing: { ...timing, startMs: starts } }), null).slice(2), [
    'It is due next at 13:30:00.',
  ]);
  assert.deepEqual(explain(facts({ timing: { ...timing, endMs: ended } }), null).slice(2), [
    'Its end was at 11:59:00.',
  ]);
});

test('a pause is told once, and what it means for the next due time', () => {
  const pause = { sinceMs: NOON, untilMs: NOON + 10 * MINUTE, reason: 'a move' };
  assert.deepEqual(explain(facts({ pause }), null).slice(1), [
    'It is paused: since 12:00:00 until 12:10:00 (a move).',
    'It has not been due since it was created.',
    'It is due next at 12:01:00.',
    'It will be skipped, unless that pause is ended before.',
  ]);
  assert.deepEqual(explain(facts({ pause }), NOON + MINUTE), [
    'shop/report will be due at 12:01:00.',
    'It is paused: since 12:00:00 until 12:10:00 (a move).',
    'It will be skipped, unless that pause is ended before.',
  ]);
});
