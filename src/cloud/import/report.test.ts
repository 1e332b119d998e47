import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { commandOf, compareWithCron, importCrontab, normalCommand, readCronLog } from './index.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const HOUR = { fromMs: 0, untilMs: HOUR_MS };

const plan = (command: string, dueMs: number) => ({ job: `job of ${command}`, command, dueMs });
const start = (command: string, atMs: number) => ({ command, atMs });

test('what cron ran when it was planned is matched, and what only one of both has is told', () => {
  const planned = [plan('a', 0), plan('a', MINUTE_MS), plan('b', MINUTE_MS)];
  const ran = [start('a', 1_000), start('c', 5_000), start('a', MINUTE_MS + 900)];
  assert.deepEqual(compareWithCron(planned, ran, HOUR), {
    matched: [
      { planned: planned[0], ran: ran[0] },
      { planned: planned[1], ran: ran[2] },
    ],
    onlyPlanned: [planned[2]],
    onlyRan: [ran[1]],
  });
});

test('the nearest belong together: one that is missing does not shift those after it', () => {
  const planned = [0, 1, 2, 3].map((n) => plan('a', n * MINUTE_MS));
  const ran = [1, 2, 3].map((n) => start('a', n * MINUTE_MS));
  assert.deepEqual(compareWithCron(planned, ran, HOUR).onlyPlanned, [planned[0]]);
});

test('a start at the edge belongs to what was due at the other side of it', () => {
  const due = [plan('a', -500), plan('a', HOUR_MS - 500)];
  const ran = [start('a', 500), start('a', HOUR_MS + 500)];
  assert.deepEqual(compareWithCron(due, ran, HOUR), {
    matched: [{ planned: due[1], ran: ran[1] }],
    onlyPlanned: [],
    onlyRan: [],
  });
});

test('a command is the same in a job and in the log of cron', () => {
  assert.equal(normalCommand('  grüß \t -a\n'), normalCommand('gr\\303\\274\\303\\237 ^I -a'));
  const { jobs } = importCrontab('*/30 * * * * \tcd /srv  && ./tidy  +\\%F%input\n', {
    withUsers: false,
    pool: 'os',
    timezone: 'UTC',
  });
  const commands = Object.entries(jobs).map(([job, { argv = [] }]) => ({ job, command: commandOf(argv) }));
  const planned = commands.flatMap((each) =>
    [0, 30].map((minute) => ({ ...each, dueMs: minute * MINUTE_MS })),
  );
  const log =
    'Jan  1 00:00:01 h CRON[7]: (joe) CMD (cd /srv  && ./tidy  +%F)\nJan  1 00:30:02 h CRON[8]: (joe) CMD (cd /srv && ./tidy +%F)';
  const ran = [...readCronLog(log, { nowMs: HOUR_MS, timezone: 'UTC' })];
  assert.equal(compareWithCron(planned, ran, HOUR).matched.length, 2);
});

const command = fc.constantFrom('a', 'b', ' a  ', 'c');
const time = fc.integer({ min: -3 * MINUTE_MS, max: HOUR_MS + 3 * MINUTE_MS });
const planned = fc.array(
  fc.tuple(command, time).map(([what, at]) => plan(what, at)),
  { maxLength: 40 },
);
const ran = fc.array(
  fc.tuple(command, time).map(([what, at]) => start(what, at)),
  { maxLength: 40 },
);
const tolerance = fc.integer({ min: 0, max: 3 * MINUTE_MS });
const isWithin = (at: number): boolean => at >= HOUR.fromMs && at < HOUR.untilMs;

test('each is told once: all that was planned in the period, and nothing of it is left that could be matched', () => {
  fc.assert(
    fc.property(planned, ran, tolerance, (plans, starts, toleranceMs) => {
      const { matched, onlyPlanned, onlyRan } = compareWithCron(plans, starts, { ...HOUR, toleranceMs });
      const told = [...matched.map((pair) => pair.planned), ...onlyPlanned];
      assert.equal(new Set(told).size, told.length);
      assert.deepEqual(new Set(told), new Set(plans.filter(({ dueMs }) => isWithin(dueMs))));
      const began = [...matched.map((pair) => pair.ran), ...onlyRan];
      assert.equal(new Set(began).size, began.length);
      for (const each of onlyRan) assert.ok(isWithin(each.atMs));
      const fits = (a: { command: string; dueMs: number }, b: { command: string; atMs: number }): boolean =>
        a.command.trim() === b.command.trim() && Math.abs(a.dueMs - b.atMs) <= toleranceMs;
      for (const pair of matched) assert.ok(fits(pair.planned, pair.ran));
      for (const a of onlyPlanned) for (const b of onlyRan) assert.ok(!fits(a, b));
    }),
  );
});

test('the order in which both are given does not matter', () => {
  fc.assert(
    fc.property(planned, ran, tolerance, (plans, starts, toleranceMs) => {
      const period = { ...HOUR, toleranceMs };
      const count = ({ matched, onlyPlanned, onlyRan }: ReturnType<typeof compareWithCron>): number[] => [
        matched.length,
        onlyPlanned.length,
        onlyRan.length,
      ];
      assert.deepEqual(
        count(compareWithCron(plans.toReversed(), starts.toReversed(), period)),
        count(compareWithCron(plans, starts, period)),
      );
    }),
  );
});

test('a cron that runs all, late but in time, matches all', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ what: command, minute: fc.nat(59), lateMs: fc.nat(MINUTE_MS) }), {
        maxLength: 60,
      }),
      (fires) => {
        const plans = fires.map(({ what, minute }) => plan(what, minute * MINUTE_MS));
        const late = fires.map(({ what, minute, lateMs }) =>
          start(what, minute * MINUTE_MS + Math.floor(lateMs / 3)),
        );
        const { matched, onlyPlanned, onlyRan } = compareWithCron(plans, late, HOUR);
        assert.deepEqual([matched.length, onlyPlanned, onlyRan], [plans.length, [], []]);
      },
    ),
  );
});

test('a month of a job of each minute is compared within seconds', () => {
  const minutes = Array.from({ length: 30 * 24 * 60 }, (_, i) => i * MINUTE_MS);
  const period = { fromMs: 0, untilMs: 30 * 24 * HOUR_MS, toleranceMs: 10 * MINUTE_MS };
  const { matched } = compareWithCron(
    minutes.map((at) => plan('a', at)),
    minutes.map((at) => start('a', at + 1_500)),
    period,
  );
  assert.equal(matched.length, minutes.length);
});
