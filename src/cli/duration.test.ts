import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration, parseDuration, parseMoment } from './duration.ts';

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
