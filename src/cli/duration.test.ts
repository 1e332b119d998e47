import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration, parseDuration, parseMoment, parseMomentToCome } from './duration.ts';

test('durations carry units', () => {
  const right = {
    '30s': 30_000,
    '5m': 300_000,
    '1h30m': 5_400_000,
    '1.5s': 1500,
    '250ms': 250,
    '2d': 172_800_000,
  };
  for (const [text, ms] of Object.entries(right)) assert.equal(parseDuration(text), ms, text);
  for (const text of ['', '30', 's', '5 m', '-1s', '1x', '1s!', '99999999999999999d'])
    assert.equal(parseDuration(text), null, text);
});

test('durations for people', () => {
  const shown = {
    7: '7ms',
    1250: '1.2s',
    59999: '59.9s',
    184000: '3m 4s',
    7500000: '2h 5m',
    259200000: '3d',
  };
  for (const [ms, text] of Object.entries(shown)) assert.equal(formatDuration(Number(ms)), text);
});

test('moments are so long ago, or dates', () => {
  assert.equal(parseMoment('10m', 1_000_000), 400_000);
  assert.equal(parseMoment('2026-01-31T12:00:00Z', 0), Date.UTC(2026, 0, 31, 12));
  assert.equal(parseMoment('yesterday', 0), null);
});

test('a time of day is the last one there was, or the next one', () => {
  const now = new Date(2026, 10, 28, 9, 15).getTime();
  assert.equal(parseMoment('03:00', now), new Date(2026, 10, 28, 3).getTime());
  assert.equal(parseMoment('9:15:00', now), now);
  assert.equal(parseMoment('23:30', now), new Date(2026, 10, 27, 23, 30).getTime());
  assert.equal(parseMomentToCome('06:00', now), new Date(2026, 10, 29, 6).getTime());
  assert.equal(parseMomentToCome('10m', now), now + 600_000);
  for (const text of ['24:00', '3', '03:60', '03:00:61', '3:0'])
    assert.equal(parseMoment(text, now), null, text);
});
