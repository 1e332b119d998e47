import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RocksyError } from './errors.ts';
import { jsonDepth, MAX_JSON_DEPTH, parseForeignObject, parseObject } from './json.ts';

/** Source texts of numbers. */
const numberSource = fc.oneof(
  fc.bigInt().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc
    .tuple(
      fc.constantFrom('', '-'),
      fc.oneof(fc.constant('0'), fc.bigInt({ min: 1n, max: 10n ** 30n }).map(String)),
      fc.oneof(
        fc.constant(''),
        fc.nat({ max: 999_999 }).map((digits) => `.${digits}0`),
      ),
      fc.oneof(
        fc.constant(''),
        fc
          .tuple(fc.constantFrom('e', 'E'), fc.constantFrom('', '+', '-'), fc.nat({ max: 999 }))
          .map((parts) => parts.join('')),
      ),
    )
    .map((parts) => parts.join('')),
  fc.constantFrom('1e400', '-0', '-0.0', '1.50', '9223372036854775807', '18446744073709551615', '1E5', '0e0'),
);

test('numbers come back as they were written, wherever they stand', () => {
  fc.assert(
    fc.property(fc.array(numberSource, { minLength: 1 }), (numbers) => {
      const text = `{"a":[${numbers.join(',')}],"b":{"c":${numbers[0]}}}`;
      assert.equal(JSON.stringify(parseObject(text)), text);
    }),
    { numRuns: 2_000 },
  );
});

test('any object comes back as it was', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ maxDepth: 5 })), (object) => {
      const text = JSON.stringify(object);
      assert.equal(JSON.stringify(parseObject(text)), text);
    }),
  );
});

test('a key __proto__ is a key', () => {
  const text = '{"__proto__":{"key":"a"},"n":1e2}';
  const object = parseObject(text);
  assert.equal(JSON.stringify(object), text);
  assert.equal(object.key, undefined);
});

test('depth is told without recursion, strings left out', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
      const depth = (inner: unknown): number =>
        typeof inner === 'object' && inner !== null ? 1 + Math.max(0, ...Object.values(inner).map(depth)) : 0;
      assert.equal(jsonDepth(JSON.stringify(value)), depth(value));
    }),
  );
  assert.equal(jsonDepth('['.repeat(1_000_000)), 1_000_000);
});

test('JSON may nest as deep as the limit, and no deeper', () => {
  const nested = (depth: number): string => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;
  parseObject(nested(MAX_JSON_DEPTH));
  assert.throws(() => parseObject(nested(MAX_JSON_DEPTH + 1)), isInvalidJson);
});

test('from outside half a surrogate pair is refused, wherever it stands; a whole one is a character', () => {
  for (const text of [
    '{"a":["\\ud800"]}',
    '{"\\udc00x":1}',
    '{"a":{"b":"x\\uDBFF"}}',
    '{"a":"\\udc00\\ud800"}',
  ])
    assert.throws(() => parseForeignObject(text), isInvalidJson, text);
  assert.deepEqual(parseForeignObject('{"a":"\\ud83d\\ude00","b":"\\\\ud800"}'), { a: '😀', b: '\\ud800' });
  // What has been written down can be read again whatever it is.
  assert.equal(parseObject('{"a":"\\ud800"}').a, '\ud800');
});

test('what is no object is refused', () => {
  for (const text of ['', '1', '1e400', '"a"', 'null', 'true', '[]', '[{}]', '{', '{}x', '{"a":01}', 'NaN'])
    assert.throws(() => parseObject(text), isInvalidJson, text);
});

function isInvalidJson(error: unknown): boolean {
  return error instanceof RocksyError && error.code === 'invalid_json';
}
