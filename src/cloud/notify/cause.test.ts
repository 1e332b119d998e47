import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fingerprintOf, normalCause } from './cause.ts';

test('what differs from one time to the next is left out of a cause', () => {
  for (const [text, normal] of [
    ['exit code 137 after 12.5s', 'exit code <n> after <n>s'],
    ['order 018f2c4e-1b7a-7cc3-98c4-dc0c0c07398f not found', 'order <uuid> not found'],
    ['Duplicate entry \'ann@example.com\' for key "users.mail"', 'Duplicate entry <value> for key <value>'],
    ["can't connect, and don't know why", "can't connect, and don't know why"],
    ['at 2026-12-24T18:00:01.5+01:00\n\tin 0x7ffe12', 'at <time> in <n>'],
    ['commit 97be2b6c9ec37aa6ab50 of 10.0.0.7:3306', 'commit <n> of <n>'],
    ['session aZ3kQ9xW1mPq7RtY expired', 'session <n> expired'],
    ['\u001b[31mred\u001b[0m', 'red'],
    ['', ''],
  ])
    assert.equal(normalCause(text ?? ''), normal);
});

test('causes that differ by their words are two, and a very long one is cut', () => {
  assert.notEqual(fingerprintOf('connection refused'), fingerprintOf('connection reset'));
  assert.equal(normalCause('ab '.repeat(100_000)).length, 300);
});

const value = fc.oneof(
  fc.nat().map(String),
  fc.uuid(),
  fc.stringMatching(/^[^"\n]{0,40}$/).map((text) => `"${text}"`),
  fc.stringMatching(/^[0-9a-f]{12,40}$/).map((text) => `0x${text}`),
  fc
    .date({ noInvalidDate: true, min: new Date('1970-01-01'), max: new Date('2200-01-01') })
    .map((date) => date.toISOString()),
);

test('whatever the values, the cause is the same; and no text is too strange', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), value, (a, b, quoted) => {
      assert.equal(
        fingerprintOf(`row ${a} of ${b.toString(16).padStart(16, '0')}`),
        fingerprintOf('row 1 of 2'),
      );
      assert.match(normalCause(`no ${quoted} here`), /^no <(n|uuid|value|time)> here$/);
    }),
  );
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => fingerprintOf(text).length === 16));
});
