import assert from 'node:assert/strict';
import { truncateSync } from 'node:fs';
import { test } from 'node:test';
import { logFixture } from './fixture.ts';
import { searchLog } from './search.ts';
import { readRange } from './tail.ts';

const SIZE = 2 ** 31;
const SCREEN = 65_536;
const LINE = 'a line of a log, 32 bytes long.\n';
const MAX_GROWTH = 20 << 20;

test('the first and the last screen of a log of 2 GiB, and a search in it, take no memory to speak of', async (t) => {
  const log = logFixture(t);
  const [head, tail] = [
    LINE.repeat(SCREEN / 32),
    `${LINE.repeat(SCREEN / 32 - 1)}the very last line, of 32 bytes\n`,
  ];
  log.append(head);
  // ftruncate(2): what is between is a hole that the file system knows of and no note tells of.
  truncateSync(log.path, SIZE - SCREEN);
  log.append(tail);
  const measured = async <T>(what: string, act: () => Promise<T>): Promise<T> => {
    const [rss, begun] = [process.memoryUsage.rss(), performance.now()];
    const result = await act();
    const [ms, growth] = [performance.now() - begun, process.memoryUsage.rss() - rss];
    t.diagnostic(`${what}: ${ms.toFixed(1)} ms, ${(growth / 2 ** 20).toFixed(1)} MiB more memory`);
    assert.ok(growth < MAX_GROWTH, `${what} took ${growth} bytes`);
    return result;
  };

  const first = await measured('first screen', () =>
    readRange(log, { offset: 0, length: SCREEN, ends: 'final' }),
  );
  assert.equal(first.data.toString(), head);
  const last = await measured('last screen', () =>
    readRange(log, { offset: -SCREEN, length: SCREEN, ends: 'final' }),
  );
  assert.deepEqual([last.offset, last.next, last.size], [SIZE - SCREEN, SIZE, SIZE]);
  assert.equal(last.data.toString(), tail);

  const search = { text: 'VERY LAST', ignoreCase: true, limit: 100, ends: 'final' } as const;
  const one = await measured('a search of 32 MiB', () => searchLog(log, { ...search, offset: 0 }));
  assert.deepEqual([one.matches, one.size], [[], SIZE]);
  assert.ok(Math.abs(one.next - (32 << 20)) < 4096, `it goes on at ${one.next}`);
  const rest = await measured('a search of the end', () =>
    searchLog(log, { ...search, offset: SIZE - (16 << 20) }),
  );
  assert.deepEqual(rest.matches, [{ offset: SIZE - 32, line: 'the very last line, of 32 bytes' }]);
  assert.equal(rest.next, SIZE);
});
