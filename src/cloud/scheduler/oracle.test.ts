// The scheduler against an oracle that only reads clocks: all zones, every change of a clock in ten years.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CronPattern, dueWithin, Zone } from './index.ts';

const QUARTER_MS = 900_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const FROM_MS = Date.UTC(2026);
const UNTIL_MS = Date.UTC(2036);
/** Around a change: so that whole days of the clock's lie in it. */
const AROUND_MS = 2 * DAY_MS;

/** What a clock on the wall shows, as milliseconds, as if it were in Greenwich. */
type Clock = (instantMs: number) => number;

function clockOf(timeZone: string): Clock {
  // Another way to ask than zone.ts has: the name of the offset and not the time.
  const format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  return (instantMs) => {
    const name = format.formatToParts(instantMs).find(({ type }) => type === 'timeZoneName')?.value ?? '';
    const [, sign = '+', hours = '0', minutes = '0', seconds = '0'] =
      /^GMT(?:([+-])(\d+):(\d+)(?::(\d+))?)?$/.exec(name) ?? assert.fail(name);
    const offset = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
    return instantMs + (sign === '-' ? -1000 : 1000) * offset;
  };
}

/** Instants, to the quarter of an hour, at which the clock is another one than a quarter before. */
function changesOf(clock: Clock, fromMs: number, untilMs: number): number[] {
  const found: number[] = [];
  for (let day = fromMs, [here, next] = [clock(day), 0]; day < untilMs; day += DAY_MS, here = next) {
    next = clock(day + DAY_MS);
    if (next - here === DAY_MS) continue;
    for (let at = day; at < day + DAY_MS; at += QUARTER_MS)
      if (clock(at + QUARTER_MS) - clock(at) !== QUARTER_MS) found.push(at + QUARTER_MS);
  }
  return found;
}

interface Tick {
  readonly at: number;
  readonly wall: number;
}

function ticksAround(clock: Clock, changeMs: number): Tick[] {
  const ticks: Tick[] = [];
  for (let at = changeMs - AROUND_MS; at <= changeMs + AROUND_MS; at += QUARTER_MS)
    ticks.push({ at, wall: clock(at) });
  return ticks;
}

/** A daily time: each day's first sight of it on the clock, or of anything later where the clock left it out. */
function daily(ticks: readonly Tick[], timeMs: number, fromMs: number, untilMs: number): number[] {
  const [first, last] = [ticks[0], ticks.at(-1)];
  assert.ok(first !== undefined && last !== undefined);
  const due = new Set<number>();
  for (let day = Math.floor(first.wall / DAY_MS) * DAY_MS; day < last.wall; day += DAY_MS) {
    const seen = ticks.find(({ wall }) => wall >= day + timeMs);
    if (seen !== undefined && seen !== first) due.add(seen.at);
  }
  return [...due].filter((at) => at >= fromMs && at < untilMs);
}

/** Whenever the clock shows it, but never so soon after the last one. */
function whenever(ticks: readonly Tick[], stepMs: number, fromMs: number, untilMs: number): number[] {
  const due: number[] = [];
  for (const { at, wall } of ticks)
    if (wall % stepMs === 0 && at - (due.at(-1) ?? Number.NEGATIVE_INFINITY) >= stepMs) due.push(at);
  return due.filter((at) => at >= fromMs && at < untilMs);
}

function checkAround(zoneName: string, clock: Clock, changeMs: number): void {
  const zone = Zone.of(zoneName);
  const ticks = ticksAround(clock, changeMs);
  const [fromMs, untilMs] = [changeMs - DAY_MS, changeMs + DAY_MS];
  const ours = (pattern: CronPattern): number[] =>
    dueWithin({ kind: 'cron', pattern, zone }, fromMs, untilMs);
  for (const { pattern, timeMs } of DAILY)
    assert.deepEqual(ours(pattern), daily(ticks, timeMs, fromMs, untilMs), `${zoneName}: ${pattern.text}`);
  for (const { pattern, stepMs } of INTERVALS)
    assert.deepEqual(ours(pattern), whenever(ticks, stepMs, fromMs, untilMs), `${zoneName}: ${pattern.text}`);
}

const DAILY = Array.from({ length: 48 }, (_, i) => ({
  pattern: new CronPattern(`${(i % 2) * 30} ${Math.floor(i / 2)} * * *`),
  timeMs: (i * HOUR_MS) / 2,
}));
const INTERVALS = [
  { pattern: new CronPattern('*/15 * * * *'), stepMs: QUARTER_MS },
  { pattern: new CronPattern('*/30 * * * *'), stepMs: 2 * QUARTER_MS },
  { pattern: new CronPattern('0 * * * *'), stepMs: HOUR_MS },
  { pattern: new CronPattern('0 */2 * * *'), stepMs: 2 * HOUR_MS },
];

test('all zones, every change of a clock in ten years: daily times and intervals are due when clocks say so', () => {
  let changes = 0;
  const checked = new Set<string>();
  for (const name of Intl.supportedValuesOf('timeZone')) {
    const clock = clockOf(name);
    const zone = Zone.of(name);
    for (const change of changesOf(clock, FROM_MS, UNTIL_MS)) {
      changes++;
      const [before, after] = [clock(change - 1) - (change - 1), clock(change) - change];
      assert.deepEqual([zone.offsetMs(change - 1), zone.offsetMs(change)], [before, after], name);
      // Zones that change their clocks in the same way at the same time are the same from here on.
      const alike = [change, before, after].join();
      if (checked.has(alike)) continue;
      checked.add(alike);
      checkAround(name, clock, change);
    }
  }
  assert.ok(changes > 2_000 && checked.size > 300, `${changes} changes, ${checked.size} of them different`);
});

test('clocks that went their own ways in the past', () => {
  for (const [zone, year] of [
    ['America/Sao_Paulo', 2018],
    ['Africa/Casablanca', 2024],
    ['Africa/Cairo', 2023],
    ['America/Nuuk', 2023],
    ['America/Caracas', 2016],
    ['Asia/Pyongyang', 2018],
    ['Pacific/Apia', 2011],
    ['Europe/Istanbul', 2016],
  ] as const) {
    const clock = clockOf(zone);
    const changes = changesOf(clock, Date.UTC(year), Date.UTC(year + 1));
    assert.ok(changes.length > 0, zone);
    for (const change of changes) checkAround(zone, clock, change);
  }
});

function due(zone: string, pattern: string, from: string, until: string): string[] {
  const schedule = { kind: 'cron', pattern: new CronPattern(pattern), zone: Zone.of(zone) } as const;
  return dueWithin(schedule, Date.parse(from), Date.parse(until)).map((at) =>
    new Date(at).toISOString().slice(0, 16).replace('T', ' '),
  );
}

test('by name: Nuuk, Lord Howe, Santiago, Havana, Cairo, São Paulo 2018, Apia 2011', () => {
  // 22:00 on March 28 is followed by 23:00 at once.
  assert.deepEqual(due('America/Nuuk', '0 23 * * *', '2026-03-28T12:00Z', '2026-03-30T12:00Z'), [
    '2026-03-29 01:00',
    '2026-03-30 00:00',
  ]);
  // 02:00 is followed by 01:30: an hourly 01:37 comes twice within half an hour, and counts once.
  assert.deepEqual(due('Australia/Lord_Howe', '37 * * * *', '2026-04-04T13:00Z', '2026-04-04T17:00Z'), [
    '2026-04-04 13:37',
    '2026-04-04 14:37',
    '2026-04-04 16:07',
  ]);
  // Midnight is left out in spring …
  assert.deepEqual(due('America/Santiago', '0 0 * * *', '2026-09-05T12:00Z', '2026-09-07T12:00Z'), [
    '2026-09-06 04:00',
    '2026-09-07 03:00',
  ]);
  assert.deepEqual(due('America/Havana', '30 0 * * *', '2026-03-07T12:00Z', '2026-03-09T12:00Z'), [
    '2026-03-08 05:00',
    '2026-03-09 04:30',
  ]);
  assert.deepEqual(due('Africa/Cairo', '15 0 * * *', '2026-04-23T12:00Z', '2026-04-25T12:00Z'), [
    '2026-04-23 22:00',
    '2026-04-24 21:15',
  ]);
  assert.deepEqual(due('America/Sao_Paulo', '0 0 * * *', '2018-11-03T12:00Z', '2018-11-05T12:00Z'), [
    '2018-11-04 03:00',
    '2018-11-05 02:00',
  ]);
  // … and a whole day: December 30.
  assert.deepEqual(due('Pacific/Apia', '0 12 * * *', '2011-12-29T12:00Z', '2012-01-01T00:00Z'), [
    '2011-12-29 22:00',
    '2011-12-30 10:00',
    '2011-12-30 22:00',
    '2011-12-31 22:00',
  ]);
});
