import assert from 'node:assert/strict';
import { symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { UnsafeFileError } from './files.ts';
import { logFixture } from './fixture.ts';
import { writeHole } from './holes.ts';
import { Mask, NO_MASK } from './mask.ts';
import type { LogMatch } from './scan.ts';
import { type LogSearch, searchLog } from './search.ts';

const WHOLE: LogSearch = { text: '', ignoreCase: false, offset: 0, limit: 1000, ends: 'final' };

test('lines that hold a text are found, each once, with the place where they begin', async (t) => {
  const log = logFixture(t);
  log.append('an error\nfine\r\nerror, error\r\n\nlast error');
  assert.deepEqual(await searchLog(log, { ...WHOLE, text: 'error' }), {
    matches: [
      { offset: 0, line: 'an error' },
      { offset: 15, line: 'error, error' },
      { offset: 30, line: 'last error' },
    ],
    next: 40,
    size: 40,
  });
  const none = await searchLog(log, { ...WHOLE, text: 'Error' });
  assert.deepEqual([none.matches, none.next], [[], 40]);
  const later = await searchLog(log, { ...WHOLE, text: 'error', offset: 5 });
  assert.deepEqual(
    later.matches.map(({ offset }) => offset),
    [15, 30],
  );
});

test('of a log that does not exist, or from beyond its end on, there is nothing', async (t) => {
  const log = logFixture(t);
  assert.deepEqual(await searchLog(log, { ...WHOLE, text: 'x' }), { matches: [], next: 0, size: 0 });
  log.append('x\n');
  const beyond = await searchLog(log, { ...WHOLE, text: 'x', offset: 7 });
  assert.deepEqual(beyond, { matches: [], next: 7, size: 2 });
});

test('nothing in the text means anything but itself', async (t) => {
  const log = logFixture(t);
  log.append('a.c\nabc\n(a+)+$\n\\d*\n');
  for (const ignoreCase of [false, true]) {
    const found = async (text: string) => {
      const { matches } = await searchLog(log, { ...WHOLE, text, ignoreCase });
      return matches.map(({ line }) => line);
    };
    assert.deepEqual(await found('a.c'), ['a.c']);
    assert.deepEqual(await found('(a+)+$'), ['(a+)+$']);
    assert.deepEqual(await found('\\d*'), ['\\d*']);
  }
});

test('ignoring case works in any script, and among bytes that are no text', async (t) => {
  const log = logFixture(t);
  log.append(
    Buffer.concat([Buffer.from('ОШИБКА 1\nÉté\n'), Buffer.from([0xff, 0xc3]), Buffer.from('ÿ Go\n')]),
  );
  const found = async (text: string) => {
    const { matches } = await searchLog(log, { ...WHOLE, text, ignoreCase: true });
    return matches.map(({ line }) => line);
  };
  assert.deepEqual(await found('ошибка'), ['ОШИБКА 1']);
  assert.deepEqual(await found('éTÉ'), ['Été']);
  assert.deepEqual(await found('Ÿ gO'), ['\ufffd\ufffdÿ Go']);
  assert.deepEqual(await found('ø go'), [], 'a byte of one letter and a byte of another one');
});

test('what is masked is not found, from wherever the search begins', async (t) => {
  const log = logFixture(t);
  const secret = 's3cret-value';
  log.append(`key ${secret} and password=hunter2, ${secret}\nlast\n`);
  const mask = new Mask([/password=\S+/], [secret]);
  const shown = await searchLog(log, { ...WHOLE, text: 'key ***' }, mask);
  assert.deepEqual(shown.matches, [{ offset: 0, line: 'key *** and *** ***' }]);
  for (const hidden of [secret, 'hunter2', 'password=']) {
    for (let start = 0; start + 2 <= hidden.length; start += 1) {
      for (let end = start + 2; end <= hidden.length; end += 1) {
        const text = hidden.slice(start, end);
        if ('key *** and *** ***\nlast'.includes(text)) continue;
        for (let offset = 0; offset < 25; offset += 3) {
          const { matches } = await searchLog(log, { ...WHOLE, text, offset, chunkBytes: 7 }, mask);
          assert.deepEqual(matches, [], `${text} from ${offset}`);
        }
      }
    }
  }
  const { matches } = await searchLog(log, { ...WHOLE, text: 'a', offset: 9 }, mask);
  assert.deepEqual(matches[0], { offset: 9, line: ' and *** ***' }, 'the rest of a secret is left out');
});

test('what may become a secret is not searched while the log grows', async (t) => {
  const log = logFixture(t);
  const mask = new Mask([], ['s3cret']);
  log.append('one\nthe s3c');
  const growing = { ...WHOLE, ends: 'growing' as const };
  const early = await searchLog(log, { ...growing, text: 's3' }, mask);
  assert.deepEqual(early, { matches: [], next: 4, size: 11 });
  log.append('ret!\n');
  assert.deepEqual((await searchLog(log, { ...growing, text: 's3', offset: 4 }, mask)).matches, []);
  const found = await searchLog(log, { ...growing, text: '***', offset: 4 }, mask);
  assert.deepEqual(found, { matches: [{ offset: 4, line: 'the ***!' }], next: 16, size: 16 });
});

test('a line that grows is searched as far as it is, and where nothing was found from its beginning again', async (t) => {
  const log = logFixture(t);
  const growing = { ...WHOLE, ends: 'growing' as const };
  log.append('one\nwaiting for lo');
  const first = await searchLog(log, { ...growing, text: 'lock' });
  assert.deepEqual(first, { matches: [], next: 4, size: 18 });
  log.append('ck');
  const second = await searchLog(log, { ...growing, text: 'lock', offset: first.next });
  assert.deepEqual(second, { matches: [{ offset: 4, line: 'waiting for lock' }], next: 20, size: 20 });
});

test('of a line that is longer than chunks the surroundings of its first match are shown, once', async (t) => {
  const log = logFixture(t);
  const [before, after] = ['€'.repeat(100_000), 'x'.repeat(200_000)];
  log.append(`short\n${before}HIT${after}HIT\nHIT again\n`);
  for (const chunkBytes of [1000, 4096, 262_144]) {
    const { matches, next, size } = await searchLog(log, { ...WHOLE, text: 'HIT', chunkBytes });
    assert.deepEqual([matches.length, next], [2, size]);
    const [long, last] = matches as [LogMatch, LogMatch];
    assert.equal(long.offset, 6);
    assert.match(long.line, /^€{170}HITx{511}$/);
    assert.deepEqual(last, { offset: 6 + 300_000 + 3 + 200_000 + 4, line: 'HIT again' });
  }
  const border = await searchLog(log, { ...WHOLE, text: `${'€'.repeat(50)}HITxx`, chunkBytes: 64 });
  assert.equal(border.matches.length, 1);
  const limited = await searchLog(log, { ...WHOLE, text: 'HIT', limit: 1, chunkBytes: 1000 });
  assert.deepEqual([limited.matches.length, limited.next], [1, 6 + 300_000 + 3 + 200_000 + 4]);
});

test('the ends of a long line are shown whole', async (t) => {
  const log = logFixture(t);
  log.append(`HEAD${'x'.repeat(5000)}TAIL\n`);
  const line = async (text: string) =>
    (await searchLog(log, { ...WHOLE, text, chunkBytes: 100 })).matches[0]?.line ?? '';
  assert.equal(await line('HEAD'), `HEAD${'x'.repeat(1020)}`);
  assert.equal(await line('TAIL'), `${'x'.repeat(1020)}TAIL`);
});

test('a hole is passed over, and what stands before it is no line with what stands behind it', async (t) => {
  const log = logFixture(t);
  log.append(`head er${'\0'.repeat(70_000)}ror tail\nremoved\n`);
  await writeHole(log.notes, { start: 7, end: 70_007 });
  const found = async (text: string, more: Partial<LogSearch> = {}) =>
    await searchLog(log, { ...WHOLE, text, ...more });
  assert.deepEqual((await found('error')).matches, []);
  assert.deepEqual((await found('\0')).matches, []);
  assert.deepEqual((await found('KiB removed')).matches, []);
  assert.deepEqual((await found('r')).matches, [
    { offset: 0, line: 'head er' },
    { offset: 70_007, line: 'ror tail' },
    { offset: 70_016, line: 'removed' },
  ]);
  const first = await found('r', { limit: 1 });
  assert.equal(first.next, 7);
  assert.equal((await found('r', { offset: first.next, limit: 1 })).matches[0]?.offset, 70_007);
  assert.equal((await found('ror', { offset: 4000 })).matches[0]?.offset, 70_007);
});

test('a search ends after so much of the log, and another one goes on without losing or repeating a line', async (t) => {
  const log = logFixture(t);
  const lines = Array.from({ length: 3000 }, (_, i) => `line ${i} ${'.'.repeat(i % 97)}`);
  log.append(lines.join('\n'));
  const all: string[] = [];
  let searches = 0;
  for (let offset = 0, size = 1; offset < size; searches += 1) {
    const found = await searchLog(log, { ...WHOLE, text: '7', offset, maxBytes: 8192, chunkBytes: 1000 });
    assert.ok(found.next > offset && found.next <= offset + 10_000);
    all.push(...found.matches.map(({ line }) => line));
    [offset, size] = [found.next, found.size];
  }
  assert.ok(searches > 10, `${searches} searches`);
  assert.deepEqual(
    all,
    lines.filter((line) => line.includes('7')),
  );
});

test('a match at the border of two searches within one long line is found', async (t) => {
  const log = logFixture(t);
  for (let at = 8000; at < 8400; at += 7) {
    writeFileSync(log.path, `${'x'.repeat(at)}NEEDLE${'x'.repeat(20_000)}`);
    let count = 0;
    for (let offset = 0, size = 1; offset < size; ) {
      const part = { ...WHOLE, text: 'NEEDLE', offset, maxBytes: 8192, chunkBytes: 4096 };
      const found = await searchLog(log, part);
      count += found.matches.length;
      [offset, size] = [found.next, found.size];
    }
    assert.equal(count, 1, `at ${at}`);
  }
});

test('an answer is bounded in what it shows, too', async (t) => {
  const log = logFixture(t);
  log.append(`${'x'.repeat(2000)}\n`.repeat(1000));
  const found = await searchLog(log, { ...WHOLE, text: 'x' });
  assert.deepEqual([found.matches.length, found.next], [256, 256 * 2001]);
});

test('a search ends early when nobody waits for it', async (t) => {
  const log = logFixture(t);
  log.append('x\n'.repeat(10_000));
  const { next } = await searchLog(log, {
    ...WHOLE,
    text: 'y',
    chunkBytes: 1000,
    signal: AbortSignal.abort(),
  });
  assert.equal(next, 1000);
});

test('a link in the place of a log is not searched', async (t) => {
  const log = logFixture(t);
  symlinkSync('/etc/passwd', log.path);
  await assert.rejects(searchLog(log, { ...WHOLE, text: 'root' }), UnsafeFileError);
});

test('a log that its run cuts off meanwhile ends there', async (t) => {
  const log = logFixture(t);
  log.append('error\n'.repeat(10));
  truncateSync(log.path, 9);
  const { matches, next } = await searchLog(log, { ...WHOLE, text: 'err' });
  assert.deepEqual([matches.length, next], [2, 9]);
});

const content = fc
  .array(fc.constantFrom('ab', 'ABab', 'a', 'b', 'k=', 'é€', 'É', '\n', '\r\n', ' ', 'xyz', 'k=q\n', '𝄞'), {
    maxLength: 60,
  })
  .map((parts) => Buffer.from(parts.join('')));
const masks = fc.constantFrom(
  NO_MASK,
  new Mask([], ['ab', 'abab', 'b\na', '€']),
  new Mask([/k=\S*/, /^a.*b$/u]),
  new Mask([/€+/], ['aba', 'xyz k']),
);
const texts = fc.constantFrom(
  'a',
  'b',
  'ab',
  'aBa',
  'é',
  '€',
  '*',
  '**',
  '***',
  ' ',
  'k=q',
  '𝄞',
  'z k',
  'b***',
  'É€',
);

/** What `searchLog` is to find, by reading everything at once. */
function linesWith(whole: Buffer, text: string, ignoreCase: boolean, mask: Mask): LogMatch[] {
  const same = (line: string): string => (ignoreCase ? line.toLowerCase() : line);
  const found: LogMatch[] = [];
  let [line, offset] = [Buffer.alloc(0), 0];
  const end = (): void => {
    const shown = line.toString();
    if (same(shown).includes(same(text))) found.push({ offset, line: shown.replace(/\r$/, '') });
    line = Buffer.alloc(0);
  };
  for (const piece of mask.pieces(whole, 0, whole.length)) {
    for (const [index, byte] of piece.bytes.entries()) {
      if (byte !== 10) line = Buffer.concat([line, Buffer.from([byte])]);
      else {
        end();
        offset = piece.start + index + 1;
      }
    }
  }
  end();
  return found;
}

test('however it is cut and by however many searches, the same lines are found as in all of it at once', async (t) => {
  const log = logFixture(t);
  await fc.assert(
    fc.asyncProperty(
      ...[content, masks, texts, fc.boolean()],
      fc.integer({ min: 4, max: 20 }),
      fc.integer({ min: 1, max: 4 }),
      async (whole, mask, text, ignoreCase, chunkBytes, limit) => {
        writeFileSync(log.path, whole);
        const found: LogMatch[] = [];
        for (let offset = 0; offset < whole.length; ) {
          const part = { text, ignoreCase, offset, limit, chunkBytes, ends: 'final' as const };
          const { matches, next } = await searchLog(log, part, mask);
          found.push(...matches);
          assert.ok(next > offset);
          offset = next;
        }
        assert.deepEqual(found, linesWith(whole, text, ignoreCase, mask));
      },
    ),
    { numRuns: 500 },
  );
});
