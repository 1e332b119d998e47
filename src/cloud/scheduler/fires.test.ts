import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  CronPattern,
  firesWithin,
  type Pause,
  type Schedule,
  type Timing,
  type Version,
  Zone,
} from './index.ts';

const HOUR_MS = 3_600_000;
const FROM_MS = Date.UTC(2026, 2, 27);
const HOURS = 24 * 6;

function timing(...schedules: Schedule[]): Timing {
  return { schedules, startMs: null, endMs: null, blackouts: [] };
}
const hourly: Schedule = { kind: 'every', everyMs: HOUR_MS, offsetMs: 0 };

test('an instant belongs to the definition that was in force, and a deleted job is never due', () => {
  const history: Version[] = [
    { version: 1, fromMs: 0, timing: timing(hourly) },
    { version: 2, fromMs: 2 * HOUR_MS, timing: timing({ kind: 'every', everyMs: 2 * HOUR_MS, offsetMs: 0 }) },
    { version: 3, fromMs: 5 * HOUR_MS, timing: null },
  ];
  assert.deepEqual(
    firesWithin(history, [], 0, 24 * HOUR_MS).map(({ dueMs, version }) => [dueMs / HOUR_MS, version]),
    [
      [0, 1],
      [1, 1],
      [2, 2],
      [4, 2],
    ],
  );
});

test('where the clock was put back between two versions, no instant is due twice', () => {
  const history: Version[] = [0, 10, 8].map((hour, i) => ({
    version: i + 1,
    fromMs: hour * HOUR_MS,
    timing: timing(hourly),
  }));
  const fires = firesWithin(history, [], 6 * HOUR_MS, 12 * HOUR_MS);
  assert.deepEqual(
    fires.map(({ dueMs, version }) => [dueMs / HOUR_MS, version]),
    [
      [6, 1],
      [7, 1],
      [8, 3],
      [9, 3],
      [10, 3],
      [11, 3],
    ],
  );
});

test('a pause hinders from its beginning until its end, or for good', () => {
  const history: Version[] = [{ version: 1, fromMs: 0, timing: timing(hourly) }];
  const pauses: Pause[] = [
    { fromMs: HOUR_MS, untilMs: 2 * HOUR_MS },
    { fromMs: 4 * HOUR_MS, untilMs: null },
  ];
  assert.deepEqual(
    firesWithin(history, pauses, 0, 6 * HOUR_MS).map((fire) => fire.hindrance),
    [null, 'paused', null, null, 'paused', 'paused'],
  );
});

const instant = fc.nat(HOURS * 60).map((minutes) => FROM_MS + minutes * 60_000);
const schedule: fc.Arbitrary<Schedule> = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('*/15 * * * *', '30 2 * * *', '0 */2 * * *', '7,37 * * * *'),
      fc.constantFrom('Europe/Berlin', 'Australia/Lord_Howe', 'UTC'),
    )
    .map(([text, zone]) => ({ kind: 'cron' as const, pattern: new CronPattern(text), zone: Zone.of(zone) })),
  fc
    .integer({ min: 5, max: 600 })
    .map((minutes) => ({ kind: 'every' as const, everyMs: minutes * 60_000, offsetMs: 0 })),
);
const history = fc
  .array(fc.tuple(instant, fc.option(fc.array(schedule, { maxLength: 3 }))), { minLength: 1, maxLength: 5 })
  .map((all) =>
    all
      .toSorted(([a], [b]) => a - b)
      .map(
        ([fromMs, schedules], i): Version => ({
          version: i + 1,
          fromMs,
          timing: schedules && timing(...schedules),
        }),
      ),
  );
const pauses = fc.array(
  fc
    .tuple(instant, fc.option(fc.nat(48 * HOUR_MS)))
    .map(([fromMs, lasting]) => ({ fromMs, untilMs: lasting === null ? null : fromMs + lasting })),
  { maxLength: 3 },
);

test('who looks now and then, at any times, finds what who looks once at the whole finds', () => {
  fc.assert(
    fc.property(history, pauses, fc.array(instant, { maxLength: 20 }), (versions, paused, looks) => {
      const untilMs = FROM_MS + HOURS * HOUR_MS;
      const ticks = [...looks.toSorted((a, b) => a - b), untilMs];
      let lookedMs = FROM_MS;
      const found = ticks.flatMap((tick) => {
        // What will be decided later is not known yet: whoever ticks sees definitions and pauses of before only.
        const known = versions.filter((version) => version.fromMs < tick);
        const pausedBy = paused.filter((pause) => pause.fromMs < tick);
        const fires = firesWithin(known, pausedBy, lookedMs, tick);
        lookedMs = tick;
        return fires;
      });
      assert.deepEqual(found, firesWithin(versions, paused, FROM_MS, untilMs));
    }),
    { numRuns: 300 },
  );
});
