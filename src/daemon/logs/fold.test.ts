import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { foldCase } from './fold.ts';

function folded(bytes: Buffer): Buffer {
  const into = Buffer.alloc(bytes.length);
  foldCase(bytes, into);
  return into;
}

const fold = (text: string): string => folded(Buffer.from(text)).toString();

test('letters of any script lose their case where both cases are as long', () => {
  assert.equal(fold('ABC xyz ÀÉŸ ОШИБКА ΣΑΣ ას 日本 𝄞'), 'abc xyz àéÿ ошибка σασ ას 日本 𝄞');
  assert.equal(fold('σας'), 'σασ');
  assert.equal(fold('ß ı İ ſ \u212a'), 'ß ı İ ſ \u212a');
});

test('folding again changes nothing, and text stays text of the same length', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const bytes = Buffer.from(text);
      const once = folded(bytes);
      assert.deepEqual(folded(once), once);
      assert.deepEqual(Buffer.from(once.toString()), once);
      for (const same of [text.toUpperCase(), text.toLowerCase()]) {
        if ([...text].every(hasBothCases)) assert.equal(fold(same), once.toString());
      }
    }),
    { numRuns: 2000 },
  );
});

/** Whether a letter's cases are single characters of one length, there and back. */
function hasBothCases(letter: string): boolean {
  const [upper, lower] = [letter.toUpperCase(), letter.toLowerCase()];
  const lengths = [letter, upper, lower].map((text) => Buffer.byteLength(text));
  const single = [upper, lower].every((text) => text.length === 1);
  return single && new Set(lengths).size === 1 && upper.toLowerCase() === lower;
}

test('bytes that are no text stay as they are', () => {
  const broken = Buffer.from([0xff, 0xc3, 0x41, 0xc3, 0xe2, 0x82, 0x80, 0xf0]);
  assert.deepEqual(folded(broken), Buffer.from([0xff, 0xc3, 0x61, 0xc3, 0xe2, 0x82, 0x80, 0xf0]));
});
