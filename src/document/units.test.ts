import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDuration, formatSize, parseDuration, parseSize } from './units.ts';

const amount = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

test('a duration of any length survives being written and read', () => {
  fc.assert(fc.property(amount, (ms) => parseDuration(formatDuration(ms)) === ms));
});

test('a size of any number of bytes survives being written and read', () => {
  fc.assert(fc.property(amount, (bytes) => parseSize(formatSize(bytes)) === bytes));
});

test('a duration is its number times its unit', () => {
  const units = { ms: 1, s: 1e3, m: 60e3, h: 3_600e3, d: 86_400e3 };
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom(...Object.entries(units)), (number, [unit, ms]) => {
      assert.equal(parseDuration(`${number}${unit}`), number * ms);
    }),
  );
});

test('sizes know powers of two and of ten', () => {
  const sizes = ['7B', '64KiB', '512MiB', '2GiB', '1TiB', '3KB', '10MB', '2GB', '1TB'];
  assert.deepEqual(
    sizes.map(parseSize),
    [7, 65_536, 536_870_912, 2_147_483_648, 1_099_511_627_776, 3e3, 1e7, 2e9, 1e12],
  );
});

test('the shortest unit that is exact is written', () => {
  assert.deepEqual([0, 1500, 60_000, 172_800_000].map(formatDuration), ['0ms', '1500ms', '1m', '2d']);
  assert.deepEqual([0, 1023, 1536, 2 ** 31].map(formatSize), ['0B', '1023B', '1536B', '2GiB']);
});

test('nothing else is a duration or a size', () => {
  const wrong = [
    '',
    '10',
    's',
    '1.5s',
    '-1s',
    '1 s',
    '1S',
    '1w',
    '10s ',
    ' 10s',
    '1s1s',
    '1e3s',
    '1'.repeat(17),
  ];
  for (const text of wrong) assert.throws(() => parseDuration(text), RangeError, text);
  for (const text of ['', '10', 'KiB', '1.5MB', '-1B', '1k', '1mb', '1 MB', '1Mi', '1PB']) {
    assert.throws(() => parseSize(text), RangeError, text);
  }
});
