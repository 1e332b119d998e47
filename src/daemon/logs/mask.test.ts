import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonValue } from '../../wire/index.ts';
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

/** As an answer has it. */
function shownJson(mask: Mask, json: string): string {
  return JSON.stringify(mask.json(JSON.parse(json) as JsonValue));
}

test('in a JSON value every text is masked, however deep, names of members and numbers too', () => {
  const mask = new Mask([/pin=\d+/]);
  mask.hide('web', ['s3cret!', '20261128', 'x"y\\z/ä']);
  const result = {
    a: 's3cret!',
    list: [1, null, true, { deep: ['say s3cret! twice, s3cret!', 'pin=12'] }],
    's3cret!': 1,
    'a s3cret!': 20261128,
    quoted: 'x"y\\z/ä',
    inJson: JSON.stringify({ key: 'x"y\\z/ä' }),
    fine: 'secret',
  };
  assert.equal(
    shownJson(mask, JSON.stringify(result)),
    JSON.stringify({
      a: '***',
      list: [1, null, true, { deep: ['say *** twice, ***', '***'] }],
      '***': 1,
      'a ***': '***',
      quoted: '***',
      inJson: '{"key":"***"}',
      fine: 'secret',
    }),
  );
  assert.equal(
    shownJson(mask, '{"s3cret!":1,"20261128":2,"__proto__":"s3cret!"}'),
    '{"***":2,"****":1,"__proto__":"***"}',
  );
  assert.equal(JSON.stringify(mask.json([JSON.rawJSON('1202611280000000000000')])), '["1***0000000000000"]');
});

test('no secret is left in a JSON value, and nothing else is changed', () => {
  const mask = new Mask([]);
  const secret = 'Tr0ub4dor&3';
  mask.hide('web', [secret]);
  const text = fc.oneof(
    fc.string(),
    fc.constant(secret),
    fc.string().map((around) => around + secret + around),
  );
  const json = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, text, fc.integer(), fc.constant(null), tie('list'), tie('members')),
    list: fc.array(tie('value')),
    members: fc.dictionary(text, tie('value')),
  })).value as fc.Arbitrary<JsonValue>;
  fc.assert(
    fc.property(json, (value) => {
      const before = JSON.stringify(value);
      const after = JSON.stringify(mask.json(value));
      assert.ok(!after.includes(secret), after);
      if (!before.includes(secret)) assert.equal(after, before);
    }),
  );
});

test('a secret is hidden in the forms that programs print it in', () => {
  const mask = new Mask([]);
  const secret = 'pä"ss/w rd\\1';
  mask.hide('web', [secret]);
  const forms = [
    secret,
    JSON.stringify(secret),
    '"p\\u00e4\\"ss\\/w rd\\\\1"',
    `https://a:${encodeURIComponent(secret)}@b`,
    `a=${encodeURIComponent(secret).replaceAll('%20', '+')}&b=c`,
    `Basic ${Buffer.from(secret).toString('base64')}`,
  ];
  assert.deepEqual(
    forms.map((form) => mask.text(form)),
    ['***', '"***"', '"***"', 'https://a:***@b', 'a=***&b=c', 'Basic ***=='],
  );
});

test('of a secret with several lines each line is hidden', () => {
  const mask = new Mask([]);
  mask.hide('web', ['-----BEGIN KEY-----\nMIIEpAIBAAKC\n  Ag8=\n-----END KEY-----']);
  const printed = '| -----BEGIN KEY-----\n| MIIEpAIBAAKC\n| Ag8=\nx\\nMIIEpAIBAAKC\\ny';
  assert.equal(mask.text(printed), '| ***\n| ***\n| Ag8=\nx\\n***\\ny');
});

test('what an owner hides takes the place of what it has hidden before, at once for whoever holds the mask', () => {
  const mask = new Mask([], ['always-hidden']);
  assert.equal(mask.reach, 13);
  mask.hide('web', ['first-secret', 'second-secret-is-longer']);
  mask.hide('os', ['first-secret']);
  const text = 'always-hidden first-secret second-secret-is-longer third-secret';
  assert.equal(mask.text(text), '*** *** *** third-secret');
  mask.hide('web', ['third-secret']);
  assert.equal(mask.text(text), '*** *** second-secret-is-longer ***');
  mask.hide('os', []);
  mask.hide('nobody', []);
  assert.equal(mask.text(text), '*** first-secret second-secret-is-longer ***');
  mask.hide('web', []);
  assert.equal(mask.reach, 13);
});

test('a text that was cut off within a secret does not show its beginning', () => {
  const mask = new Mask([]);
  mask.hide('web', ['correct-horse-battery-staple', 'battery-staple-other']);
  assert.equal(mask.text('failed: correct-horse-bat'), 'failed: ***');
  assert.equal(mask.text('failed: correct-horse-battery-staple'), 'failed: ***');
  assert.equal(mask.text('correct-horse-battery-staple-o'), '***');
  // Too little to mean anything.
  assert.equal(mask.text('failed: corr'), 'failed: corr');
});
