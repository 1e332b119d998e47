import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CronPattern, dueFrom, dueWithin, type Schedule, ScheduleError, Zone } from './index.ts';

const HOUR_MS = 3_600_000;
const PATTERNS = [
  '*/15 * * * *',
  '7,37 * * * *',
  '0 */2 * * *',
  '30 2 * * *',
  '0 0 * * 0',
  '59 23 L * *',
  '0 0 1-7 * *',
];
const ZONES = [
  'Europe/Berlin',
  'Australia/Lord_Howe',
  'America/Santiago',
  'America/Nuuk',
  'Asia/Kolkata',
  'UTC',
];

const schedule: fc.Arbitrary<Schedule> = fc.oneof(
  fc.record({
    kind: fc.constant('cron' as const),
    pattern: fc.constantFrom(...PATTERNS).map((text) => new CronPattern(text)),
    zone: fc.constantFrom(...ZONES).map((name) => Zone.of(name)),
  }),
  fc.record({
    kind: fc.constant('every' as const),
    everyMs: fc.integer({ min: 60_000, max: 7 * 24 * HOUR_MS }),
    offsetMs: fc.nat(HOUR_MS),
  }),
  fc.record({
    kind: fc.constant('at' as const),
    atMs: fc.array(fc.integer({ min: Date.UTC(2026), max: Date.UTC(2027) })),
  }),
);

/** Near a change of a clock as often as not. */
const instant = fc.oneof(
  fc.integer({ min: Date.UTC(2026), max: Date.UTC(2027) }),
  fc
    .tuple(fc.constantFrom(...ZONES), fc.integer({ min: -3 * HOUR_MS, max: 3 * HOUR_MS }), fc.nat(1))
    .map(([name, off, nth]) => {
      const first = Zone.of(name).segmentAt(Date.UTC(2026, 0, 2));
      const change = nth === 0 ? first.untilMs : Zone.of(name).segmentAt(first.untilMs).untilMs;
      return change + off;
    }),
);

test('what is due does not depend on where one begins to look', () => {
  fc.assert(
    fc.property(
      schedule,
      instant,
      fc.nat(48 * HOUR_MS),
      fc.nat(48 * HOUR_MS),
      (each, from, first, second) => {
        const whole = dueWithin(each, from, from + first + second);
        const parts = [
          ...dueWithin(each, from, from + first),
          ...dueWithin(each, from + first, from + first + second),
        ];
        assert.deepEqual(parts, whole);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('due times come in order, each once, and those of an interval pattern never closer than its step', () => {
  fc.assert(
    fc.property(schedule, instant, (each, from) => {
      const due = dueWithin(each, from, from + 72 * HOUR_MS);
      const step = each.kind === 'cron' ? (each.pattern.stepMs ?? 1) : 1;
      for (const [i, at] of due.entries())
        assert.ok(at >= from && at - (due[i - 1] ?? Number.NEGATIVE_INFINITY) >= step);
    }),
    { numRuns: 1_000 },
  );
});

test('a pattern that never comes true has no due times, and one that is rare has its own', () => {
  const first = (text: string): number | undefined =>
    dueFrom({ kind: 'cron', pattern: new CronPattern(text), zone: Zone.of('UTC') }, Date.UTC(2026, 2))
      [Symbol.iterator]()
      .next().value;
  assert.equal(first('0 0 30 2 *'), undefined);
  assert.equal(first('0 0 29 2 *'), Date.UTC(2028, 1, 29));
});

test('the shortest step of an interval pattern, and none for fixed times', () => {
  const steps = [
    '* * * * * *',
    '*/20 * * * *',
    '7,37 * * * *',
    '0 * * * *',
    '0 */5 * * *',
    '5-7 * * * *',
    '0 3 * * *',
    '@daily',
    '0 1,2 * * *',
  ];
  assert.deepEqual(
    steps.map((text) => new CronPattern(text).stepMs),
    [1000, 1_200_000, 1_800_000, HOUR_MS, 4 * HOUR_MS, 60_000, null, null, null],
  );
});

test('what is no pattern and no time zone is refused by name', () => {
  for (const text of ['', '* * * *', '61 * * * *', '* * * * * * *', 'at noon please now ok'])
    assert.throws(() => new CronPattern(text), ScheduleError, text);
  assert.throws(() => Zone.of('Europe/Berln'), { message: /no time zone 'Europe\/Berln'/ });
});
