import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Blackout,
  CronPattern,
  dueInstants,
  dueWithin,
  hindrance,
  jitterOf,
  nextDue,
  nextWithin,
  type Schedule,
  type Timing,
  Zone,
} from './index.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const cron = (text: string, zone = 'UTC'): Schedule => ({
  kind: 'cron',
  pattern: new CronPattern(text),
  zone: Zone.of(zone),
});
const timing = (more: Partial<Timing>): Timing => ({
  schedules: [cron('0 * * * *')],
  startMs: null,
  endMs: null,
  blackouts: [],
  ...more,
});
const at = (text: string): number => Date.parse(text);

test('the next within start and end is never outside of them', () => {
  const [startMs, endMs] = [at('2026-11-28T12:30Z'), at('2026-11-28T14:00Z')];
  const within = timing({ startMs, endMs });
  assert.equal(nextWithin(within, at('2026-11-28T03:00Z')), at('2026-11-28T13:00Z'));
  assert.equal(nextWithin(within, at('2026-11-28T13:00Z')), at('2026-11-28T13:00Z'));
  assert.equal(nextWithin(within, at('2026-11-28T13:01Z')), null);
});

test('what two schedules name at once is due once, and the next of all schedules comes next', () => {
  const both = timing({
    schedules: [cron('0 */6 * * *'), cron('0 12 * * *'), { kind: 'at', atMs: [at('2026-11-28T13:00Z')] }],
  });
  assert.deepEqual(
    dueInstants(both, at('2026-11-28T06:00Z'), at('2026-11-28T18:00Z')).map((due) =>
      new Date(due).getUTCHours(),
    ),
    [6, 12, 13],
  );
  assert.equal(nextDue(both, at('2026-11-28T12:00Z') + 1), at('2026-11-28T13:00Z'));
  assert.equal(nextDue(timing({ schedules: [] }), 0), null);
  assert.equal(nextDue(timing({ schedules: [{ kind: 'at', atMs: [1] }] }), 2), null);
});

test('before its start and from its end on it is due and does not run', () => {
  const bounded = timing({ startMs: 2 * HOUR_MS, endMs: 4 * HOUR_MS });
  assert.deepEqual(
    [1, 2, 3, 4].map((hour) => hindrance(bounded, hour * HOUR_MS)),
    ['outside', null, null, 'outside'],
  );
});

test('a blackout covers its beginning and not its end, once or each time', () => {
  const once = timing({ blackouts: [{ kind: 'once', fromMs: HOUR_MS, untilMs: 2 * HOUR_MS }] });
  assert.deepEqual(
    [0, 1, 2].map((hour) => hindrance(once, hour * HOUR_MS)),
    [null, 'blackout', null],
  );
  const nightly: Blackout = {
    kind: 'recurring',
    schedule: cron('0 22 * * *', 'Europe/Berlin'),
    lastingMs: 6 * HOUR_MS,
  };
  const recurring = timing({ blackouts: [nightly] });
  assert.deepEqual(
    ['20:00', '21:00', '02:00', '03:00'].map((time) => hindrance(recurring, at(`2026-11-28T${time}Z`))),
    [null, 'blackout', 'blackout', null],
  );
});

test('a recurring blackout covers just what one walks through from each of its beginnings', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('0 22 * * *', '*/45 * * * *', '30 2 * * *', '0 0 * * 1'),
      fc.constantFrom('Europe/Berlin', 'Australia/Lord_Howe', 'UTC'),
      fc.integer({ min: 1, max: 3 * DAY_MS }),
      fc.integer({ min: at('2026-03-20T00:00Z'), max: at('2026-04-10T00:00Z') }),
      (text, zone, lastingMs, instant) => {
        const schedule = cron(text, zone);
        const begun = dueWithin(schedule, instant - 10 * DAY_MS, instant + DAY_MS);
        const expected = begun.some((from) => instant >= from && instant < from + lastingMs);
        const blackouts: Blackout[] = [{ kind: 'recurring', schedule, lastingMs }];
        assert.equal(hindrance(timing({ blackouts }), instant), expected ? 'blackout' : null);
      },
    ),
  );
});

test('a job’s jitter is its own for ever, below the bound, and jobs are spread over it', () => {
  assert.equal(jitterOf('shop/report', 0), 0);
  assert.equal(jitterOf('shop/report', 60_000), jitterOf('shop/report', 60_000));
  const spread = Array.from({ length: 1000 }, (_, i) => jitterOf(`shop/job-${i}`, 1000));
  assert.ok(spread.every((ms) => ms >= 0 && ms < 1000));
  for (let from = 0; from < 1000; from += 100) {
    const count = spread.filter((ms) => ms >= from && ms < from + 100).length;
    assert.ok(count > 50 && count < 150, `${count} of 1000 from ${from} ms on`);
  }
});
