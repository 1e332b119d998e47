import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cutChunk } from './chunk.ts';
import { logFixture } from './fixture.ts';
import { Mask, NO_MASK } from './mask.ts';
import { readRange } from './tail.ts';

test('literals and matches become three stars', () => {
  const mask = new Mask([/password=\S+/], ['s3cret']);
  assert.equal(mask.text('a s3cret, password=abc def s3crets'), 'a ***, *** def ***s');
});

test('with nothing to mask, or nothing masked, the bytes are a view of the same memory', () => {
  const bytes = Buffer.from('hello world');
  for (const mask of [NO_MASK, new Mask([/xyz/], ['zyx'])]) {
    const shown = mask.apply(bytes, 2, 7);
    assert.equal(shown.buffer, bytes.buffer);
    assert.equal(shown.toString(), 'llo w');
  }
});

test('patterns apply to one line at a time, as text where it is text', () => {
  const mask = new Mask([/^пароль: .+$/i, /key=.*/s]);
  assert.equal(mask.text('я\r\nПароль: тайна\r\nkey=1\nnext'), 'я\r\n***\r\n***\nnext');
});

test('bytes that are no text are masked and otherwise left alone', () => {
  const mask = new Mask([/id=\d+/]);
  const bytes = Buffer.from([0xff, 0xfe, ...Buffer.from('id=42'), 0x80, 0]);
  assert.deepEqual(
    mask.apply(bytes, 0, bytes.length),
    Buffer.from([0xff, 0xfe, ...Buffer.from('***'), 0x80, 0]),
  );
});

test('a literal of several lines is masked', () => {
  const key = '-----BEGIN KEY-----\nabc\ndef\n-----END KEY-----';
  assert.equal(new Mask([], [key]).text(`x\n${key}\ny`), 'x\n***\ny');
});

test('a pattern that matches nothing at a place does not run for ever', () => {
  assert.equal(new Mask([/x*/]).text('axxb'), 'a***b');
});

test('a secret can not be had byte by byte', async (t) => {
  const log = logFixture(t);
  log.append('key s3cret-value end\n');
  const mask = new Mask([], ['s3cret-value']);
  let shown = '';
  for (let offset = 0; offset < 21; offset += 1) {
    shown += (await readRange(log, { offset, length: 1, ends: 'final' }, mask)).data.toString('latin1');
  }
  for (let at = 0; at < 12 - 4; at += 1) assert.ok(!shown.includes('s3cret-value'.slice(at, at + 5)), shown);
});

test('a secret that is not whole yet is held back while the log grows', async (t) => {
  const log = logFixture(t);
  const mask = new Mask([], ['s3cret']);
  log.append('the s3c');
  const first = await readRange(log, { offset: 0, length: 100, ends: 'growing' }, mask);
  assert.equal(first.data.toString(), 'the ');
  log.append('ret!');
  const second = await readRange(log, { offset: first.next, length: 100, ends: 'growing' }, mask);
  assert.equal(second.data.toString(), '***!');
});

test('a line that is not whole yet is held back for patterns, and comes when the run has ended', async (t) => {
  const log = logFixture(t);
  const mask = new Mask([/token \w+/]);
  log.append('one\ntoken ab');
  const first = await readRange(log, { offset: 0, length: 100, ends: 'growing' }, mask);
  assert.equal(first.data.toString(), 'one\n');
  log.append('cd');
  const last = await readRange(log, { offset: first.next, length: 100, ends: 'final' }, mask);
  assert.equal(last.data.toString(), '***');
});

const content = fc
  .array(fc.constantFrom('ab', 'abab', 'a', 'b', 'k=', 'é€', '\n', '\r\n', ' ', 'xyz', 'k=q\n', '𝄞'), {
    maxLength: 40,
  })
  .map((parts) => Buffer.from(parts.join('')));
const masks = fc.constantFrom(
  new Mask([], ['ab', 'abab', 'b\na', '€']),
  new Mask([/k=\S*/, /^a.*b$/u]),
  new Mask([/€+/, /(?<=k)=./], ['aba', 'xyz k']),
);

test('masking in pieces equals masking the whole, while it grows as well', () => {
  fc.assert(
    fc.property(content, masks, fc.array(fc.nat({ max: 9 }), { maxLength: 60 }), (whole, mask, steps) => {
      const shown: Buffer[] = [];
      let [at, size] = [0, 0];
      const read = (ends: 'growing' | 'final', length: number) => {
        // As readRange does: only so much around the chunk is known as the mask reaches.
        const start = Math.max(0, at - Math.max(mask.reach, 4));
        const bytes = whole.subarray(start, Math.min(size, at + Math.max(length, 4) + mask.reach + 4));
        const chunk = cutChunk(
          { bytes, start, size, hole: null },
          { offset: at, length, start: 'exact', ends },
          mask,
        );
        shown.push(chunk.data);
        at = chunk.next;
      };
      for (const step of steps) {
        size = Math.min(whole.length, size + step);
        read('growing', 1 + (step % 4));
      }
      size = whole.length;
      while (at < whole.length) read('final', 5);
      assert.equal(Buffer.concat(shown).toString(), mask.apply(whole, 0, whole.length).toString());
    }),
    { numRuns: 2000 },
  );
});

test('a pattern finds in many lines what it finds in each of them', () => {
  const patterns = fc.constantFrom(
    ...[
      /^a/,
      /b$/,
      /^$/,
      /a\s*b/,
      /a(?!\s)/,
      /(?<!\n)b/,
      /\Ba/,
      /^ab.*$/s,
      /é+|k/,
      /(?=(\s*))\1k/,
      /a[^x]*b/,
      /\bk\b/m,
    ],
  );
  fc.assert(
    fc.property(content, patterns, (whole, pattern) => {
      const lines = whole.toString().split('\n');
      const expected = lines.map((line) => {
        const [text, end] = line.endsWith('\r') ? [line.slice(0, -1), '\r'] : [line, ''];
        const all = new RegExp(pattern.source, `${pattern.flags}g`);
        return text.replace(all, (match) => (match === '' ? '' : '***')) + end;
      });
      assert.equal(new Mask([pattern]).text(whole.toString()), expected.join('\n'));
    }),
    { numRuns: 3000 },
  );
});
