import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LineFramer } from './frame.ts';

const MAX = 40;

/** Bytes with many line ends among them. */
const stream = fc
  .array(fc.oneof(fc.constantFrom('\n', '\r\n', '\r', ' '), fc.uint8Array({ maxLength: MAX + 3 })), {
    maxLength: 30,
  })
  .map((parts) =>
    Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part)))),
  );
const cuts = fc.array(fc.nat(), { maxLength: 20 });

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

/** What the stream holds, by the plainest reckoning. */
function expected(bytes: Buffer): { lines: string[]; tooLong: boolean; rest: string } {
  const parts = bytes.toString('latin1').split('\n');
  const long = parts.findIndex((part) => part.length > MAX);
  const whole = parts.slice(0, long < 0 ? -1 : long);
  return {
    lines: whole.map((line) => line.replace(/\r$/, '')),
    tooLong: long >= 0,
    rest: long < 0 ? (parts.at(-1) ?? '') : '',
  };
}

test('a stream has the same lines wherever it is cut', () => {
  fc.assert(
    fc.property(stream, cuts, (bytes, places) => {
      const framer = new LineFramer(MAX);
      const framed = cut(bytes, places).map((chunk) => framer.push(chunk));
      const { lines, tooLong, rest } = expected(bytes);
      assert.deepEqual(
        framed.flatMap((some) => some.lines.map((line) => line.toString('latin1'))),
        lines,
      );
      assert.equal(framed.at(-1)?.tooLong, tooLong);
      assert.equal(framer.rest.toString('latin1'), rest);
    }),
    { numRuns: 2_000 },
  );
});

test('another framer goes on from the rest', () => {
  fc.assert(
    fc.property(stream, cuts, (bytes, places) => {
      let framer = new LineFramer(MAX);
      const lines: string[] = [];
      let tooLong = false;
      for (const chunk of cut(bytes, places)) {
        if (tooLong) break;
        const framed = framer.push(chunk);
        lines.push(...framed.lines.map((line) => line.toString('latin1')));
        tooLong = framed.tooLong;
        if (!tooLong) framer = new LineFramer(MAX, framer.rest);
      }
      assert.deepEqual(lines, expected(bytes).lines);
      assert.equal(tooLong, expected(bytes).tooLong);
    }),
    { numRuns: 1_000 },
  );
});

test('a rest stays as it was while the framer goes on', () => {
  const framer = new LineFramer(MAX);
  framer.push(Buffer.from('half a'));
  const { rest } = framer;
  framer.push(Buffer.from(' line\nother line'));
  assert.equal(rest.toString(), 'half a');
});

test('never more than one line is held, and nothing after one that is too long', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 2 * MAX })), (chunks) => {
      const framer = new LineFramer(MAX);
      let over = false;
      for (const chunk of chunks) {
        const { lines, tooLong } = framer.push(Buffer.from(chunk));
        if (over) assert.deepEqual({ lines, tooLong }, { lines: [], tooLong: true });
        over = tooLong;
        assert.ok(framer.rest.length <= MAX);
        if (over) assert.equal(framer.rest.length, 0);
      }
    }),
  );
});

test('a line that comes byte by byte costs little more than its bytes', () => {
  const { gc } = globalThis;
  const framer = new LineFramer(1 << 20);
  const byte = Buffer.from('x');
  gc?.();
  const before = process.memoryUsage();
  for (let i = 0; i < 1 << 20; i++) framer.push(byte);
  const after = process.memoryUsage();
  const grown = after.heapUsed + after.external - before.heapUsed - before.external;
  assert.equal(framer.rest.length, 1 << 20);
  // A million small buffers would be more than 100 MB.
  assert.ok(grown < 40 << 20, `${grown} bytes`);
});

test('a line does not keep the chunk alive that its beginning came with', () => {
  const framer = new LineFramer(1 << 20);
  const chunk = Buffer.alloc(65_536, 'x');
  framer.push(chunk);
  chunk.fill('y');
  assert.equal(framer.push(Buffer.from('\n')).lines[0]?.toString(), 'x'.repeat(65_536));
});
