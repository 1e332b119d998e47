import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readCronLog } from './index.ts';

const OPTIONS = { nowMs: Date.parse('2026-12-01T12:00:00Z'), timezone: 'Europe/Berlin' };

function starts(lines: readonly string[], options: Partial<typeof OPTIONS> = {}): string[][] {
  return [...readCronLog(lines.join('\n'), { ...OPTIONS, ...options })].map(({ atMs, user, command }) => [
    new Date(atMs).toISOString(),
    user,
    command,
  ]);
}

function timesOf(lines: readonly string[], options: Partial<typeof OPTIONS> = {}): string[] {
  return starts(
    lines.map((time) => `${time} host CRON[1]: (root) CMD (x)`),
    options,
  ).map(([at = '']) => at);
}

test('every way of syslog to write a time is read', () => {
  const expected = ['2026-11-28T04:10:01.000Z', 'root', 'cd / && run-parts (all) --report /etc/cron.hourly'];
  const message = '(root) CMD (   cd / && run-parts (all) --report /etc/cron.hourly)';
  for (const line of [
    `Nov 28 05:10:01 host CRON[123]: ${message}`,
    `<78>Nov 28 05:10:01 host CRON[123]: ${message}`,
    `Nov 28 05:10:01 host /USR/SBIN/CRON[123]: ${message}`,
    `Nov 28 05:10:01 host crond[123]: ${message}`,
    `2026-11-28T05:10:01+01:00 host CRON[123]: ${message}`,
    `2026-11-28T05:10:01+0100 host CRON[123]: ${message}`,
    `2026-11-28T04:10:01Z host CRON[123]: ${message}`,
    `2026-11-28 05:10:01 host CRON[123]: ${message}`,
    `<78>1 2026-11-28T05:10:01+01:00 host CRON 123 - - ${message}`,
    `Nov 28 05:10:01 host CRON[123]: ${message.replace('(   cd', '([124] cd')}`,
    `<78>1 2026-11-28T05:10:01+01:00 host CRON 123 - [x a="b"] ${message}`,
  ]) {
    assert.deepEqual(starts([line]), [expected], line);
  }
  assert.deepEqual(timesOf(['2026-11-28T05:10:01.987654+01:00']), ['2026-11-28T04:10:01.987Z']);
});

test('what is no start of a command is passed over', () => {
  assert.deepEqual(
    starts([
      'Nov 28 05:10:01 host CRON[1]: pam_unix(cron:session): session opened for user root(uid=0)',
      'Nov 28 05:10:01 host cron[1]: (CRON) INFO (Running @reboot jobs)',
      'Nov 28 05:10:01 host CRON[1]: (root) CMDEND (x)',
      'Nov 28 05:10:01 host sshd[1]: (root) CMD (x)',
      'Nov 28 05:10:01 host sshd[1]: said CRON[1]: (root) CMD (x)',
      'Foo 28 05:10:01 host CRON[1]: (root) CMD (x)',
      'Feb 30 05:10:01 host CRON[1]: (root) CMD (x)',
      '-- Boot 5f3 --',
      '',
    ]),
    [],
  );
});

test('a time without a year is the latest that is not after the log', () => {
  assert.deepEqual(timesOf(['Dec  1 13:00:00', 'Dec 31 23:00:00', 'Feb 29 00:00:00']), [
    '2026-12-01T12:00:00.000Z',
    '2025-12-31T22:00:00.000Z',
    '2024-02-28T23:00:00.000Z',
  ]);
  const nowMs = Date.parse('2026-01-01T00:30:00Z');
  assert.deepEqual(timesOf(['Dec 31 23:59:00', 'Jan  1 00:10:00'], { nowMs, timezone: 'UTC' }), [
    '2025-12-31T23:59:00.000Z',
    '2026-01-01T00:10:00.000Z',
  ]);
});

test('an hour that clocks show twice is told apart by the order of lines', () => {
  const minutes = ['02:00', '02:30', '02:59', '02:00', '02:30', '03:00'];
  assert.deepEqual(
    timesOf(minutes.map((time) => `Oct 25 ${time}:01`)).map((at) => at.slice(11, 16)),
    ['00:00', '00:30', '00:59', '01:00', '01:30', '02:00'],
  );
});

test('what a clock shows is read as the instant at which it showed it', () => {
  const zones = ['Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'UTC'];
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.array(fc.integer({ min: 0, max: 300 * 86_400 }), { minLength: 1, maxLength: 20 }),
      (timezone, seconds) => {
        const nowMs = OPTIONS.nowMs;
        const sorted = seconds.map((ago) => nowMs - ago * 1000).toSorted((a, b) => a - b);
        const format = new Intl.DateTimeFormat('en-US', {
          timeZone: timezone,
          month: 'short',
          day: 'numeric',
          hour: '2-digit',
          minute: '2-digit',
          second: '2-digit',
          hourCycle: 'h23',
        });
        const shown = sorted.map((at) => format.format(at));
        const read = timesOf(
          shown.map((text) => text.replace(',', '').replace(/^(\w+) (\d) /, '$1  $2 ')),
          { timezone },
        );
        assert.deepEqual(
          read.map((at) => format.format(new Date(at))),
          shown,
        );
      },
    ),
  );
});

test('whatever a log has in it, nothing is thrown', () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom('Nov 28 05:10:01 ', '2026-13-41T25:61:61Z ', 'h CRON[1]: ', '(a) CMD (', ')', '\n'),
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      for (const { atMs } of readCronLog(pieces.join(''), OPTIONS)) assert.ok(Number.isFinite(atMs));
    }),
    { numRuns: 1_000 },
  );
});
