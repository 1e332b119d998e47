import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { truncateSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LogChunk } from './chunk.ts';
import { logFixture } from './fixture.ts';
import { writeHole } from './holes.ts';
import { readRange } from './tail.ts';

/** Reads a whole log in pieces of this length. */
async function readAll(read: (offset: number) => Promise<LogChunk>, offset = 0): Promise<LogChunk[]> {
  const chunks: LogChunk[] = [];
  for (let at = offset; ; ) {
    const chunk = await read(at);
    assert.equal(chunk.offset, at);
    if (chunk.next === at) return chunks;
    chunks.push(chunk);
    at = chunk.next;
  }
}

const text = (chunks: LogChunk[]) => Buffer.concat(chunks.map((chunk) => chunk.data)).toString();

test('a log that does not exist yet is an empty one', async (t) => {
  const log = logFixture(t);
  const chunk = await readRange(log, { offset: 0, length: 10, ends: 'growing' });
  assert.deepEqual(chunk, { offset: 0, data: Buffer.alloc(0), next: 0, size: 0 });
  assert.equal((await readRange(log, { offset: -7, length: 10, ends: 'growing' })).next, 0);
});

test('offsets count from the start, negative ones from the end', async (t) => {
  const log = logFixture(t);
  log.append('0123456789');
  const from = (offset: number) => readRange(log, { offset, length: 4, ends: 'final' });
  assert.deepEqual(await from(3), { offset: 3, data: Buffer.from('3456'), next: 7, size: 10 });
  assert.deepEqual(await from(-3), { offset: 7, data: Buffer.from('789'), next: 10, size: 10 });
  assert.equal((await from(-100)).offset, 0);
  assert.deepEqual(await from(50), { offset: 50, data: Buffer.alloc(0), next: 50, size: 10 });
});

test('a character that is not whole yet waits, unless nothing more comes', async (t) => {
  const log = logFixture(t);
  log.append(Buffer.from('abc€').subarray(0, 5));
  const read = (ends: 'growing' | 'final') => readRange(log, { offset: 0, length: 100, ends });
  assert.equal((await read('growing')).next, 3);
  assert.equal((await read('final')).next, 5);
  log.append(Buffer.from('€').subarray(2));
  assert.equal((await read('growing')).data.toString(), 'abc€');
});

test('a negative offset inside a character moves to the next one', async (t) => {
  const log = logFixture(t);
  log.append('a€b');
  const read = (offset: number) => readRange(log, { offset, length: 100, ends: 'final' });
  assert.equal((await read(-2)).data.toString(), 'b');
  assert.equal((await read(-3)).data.toString(), 'b');
  assert.equal((await read(-4)).data.toString(), '€b');
  const exact = await readRange(log, { offset: 2, length: 100, ends: 'final' });
  assert.equal(exact.data.length, 3);
  const moved = await readRange(log, { offset: 2, length: 100, start: 'character', ends: 'final' });
  assert.equal(moved.data.toString(), 'b');
});

test('text stays text however it is cut, and no byte is lost', async (t) => {
  const log = logFixture(t);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('a', 'é', '€', '𝄞', '\n', '\0'), { maxLength: 30 }).map((all) => all.join('')),
      fc.integer({ min: 1, max: 9 }),
      async (content, length) => {
        truncateIfThere(log.path);
        log.append(content);
        const chunks = await readAll((offset) => readRange(log, { offset, length, ends: 'final' }));
        assert.ok(chunks.every((chunk) => isUtf8(chunk.data)));
        assert.equal(text(chunks), Buffer.from(content).toString());
      },
    ),
    { numRuns: 40 },
  );
});

test('bytes that are no text come whole as well', async (t) => {
  const log = logFixture(t);
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 30 }),
      fc.integer({ min: 1, max: 9 }),
      async (content, length) => {
        truncateIfThere(log.path);
        log.append(Buffer.from(content));
        const chunks = await readAll((offset) => readRange(log, { offset, length, ends: 'final' }));
        assert.deepEqual(Buffer.concat(chunks.map((chunk) => chunk.data)), Buffer.from(content));
      },
    ),
    { numRuns: 40 },
  );
});

test('in the place of a hole one line says how much was removed', async (t) => {
  const log = logFixture(t);
  log.append(`head\n${'\0'.repeat(70_000)}tail\n`);
  await writeHole(log.notes, { start: 5, end: 70_005 });
  const chunks = await readAll((offset) => readRange(log, { offset, length: 1000, ends: 'final' }));
  assert.equal(text(chunks), 'head\n[… 68.4 KiB removed …]\ntail\n');
  assert.deepEqual(
    chunks.map((chunk) => [chunk.offset, chunk.next]),
    [
      [0, 5],
      [5, 70_005],
      [70_005, 70_010],
    ],
  );
  const inside = await readRange(log, { offset: 69_981, length: 1000, ends: 'final' });
  assert.equal(inside.data.toString(), '[… 24 bytes removed …]\n');
});

test('a hole that begins within a line begins a new one', async (t) => {
  const log = logFixture(t);
  log.append(`head${'\0'.repeat(70_000)}tail`);
  await writeHole(log.notes, { start: 4, end: 70_004 });
  const chunks = await readAll((offset) => readRange(log, { offset, length: 1000, ends: 'final' }));
  assert.equal(text(chunks), 'head\n[… 68.4 KiB removed …]\ntail');
});

test('a record of a hole beyond the end of the log hides nothing', async (t) => {
  const log = logFixture(t);
  log.append('x'.repeat(70_000));
  await writeHole(log.notes, { start: 4, end: 80_000 });
  assert.equal((await readRange(log, { offset: 0, length: 70_000, ends: 'final' })).next, 70_000);
});

function truncateIfThere(path: string): void {
  try {
    truncateSync(path);
  } catch {
    // The first time there is none.
  }
}
