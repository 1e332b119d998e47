import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { fileOfKey, parseKey, type RunKey } from './key.ts';

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({ unit: fc.constantFrom('a', 'B', '.', '/', '~', '-', '_', ' ', '\\', '%'), maxLength: 70 }),
  fc.string({ unit: fc.constantFrom('\ud800', '\udc00', 'é', '\u0000', '\u007f', '\n', 'x'), maxLength: 5 }),
  fc.constantFrom('', '.', '..', '../x', '/etc/passwd', '~', 'a'.repeat(64), 'a'.repeat(65), '~log-x.log'),
);
const anyKey = anyText.map(parseKey).filter((key): key is RunKey => key !== null);

test('a key is 1 to 255 bytes of UTF-8 without control characters', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const bytes = Buffer.from(text);
      const sound =
        bytes.length >= 1 &&
        bytes.length <= 255 &&
        bytes.toString() === text &&
        !bytes.some((byte) => byte < 32 || byte === 127);
      assert.equal(parseKey(text), sound ? text : null);
    }),
    { numRuns: 2_000 },
  );
});

test('different keys have different files', () => {
  fc.assert(
    fc.property(anyKey, anyKey, (one, other) => {
      assert.equal(fileOfKey(one) === fileOfKey(other), one === other);
    }),
    { numRuns: 5_000 },
  );
});

test('keys that differ by little have different files', () => {
  const keys = ['a', 'A', 'a ', 'á', 'a\u0301', 'a.', 'a/', '.a', '~a', 'a'.repeat(64), 'a'.repeat(65)];
  const files = keys.map((key) => fileOfKey(parseKey(key) ?? assert.fail(key)));
  assert.equal(new Set(files).size, keys.length);
});

test('a file is a plain name in its folder, whatever the key', () => {
  fc.assert(
    fc.property(anyKey, (key) => {
      const file = fileOfKey(key);
      assert.match(file, /^(?:[A-Za-z0-9_][A-Za-z0-9_-]{0,63}|~[0-9a-f]{32})$/);
      assert.equal(path.join('/runs', `${file}.log`), `/runs/${file}.log`);
    }),
    { numRuns: 2_000 },
  );
});

test('a file never is the name of a log that a request chose', () => {
  fc.assert(fc.property(anyKey, (key) => assert.ok(!fileOfKey(key).startsWith('~log-'))));
});
