import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Bench, LIMITS, nameOf, settled } from './fixtures/bench.ts';

test('requests without an id are taken one after the other, and answered in their order', async () => {
  const bench = new Bench();
  bench.send('a', 'b', 'c');
  await settled();
  for (const name of ['a', 'b', 'c']) {
    assert.deepEqual(bench.asked.map(nameOf), [name]);
    bench.asked.shift()?.answer({ name });
    await settled();
  }
  assert.deepEqual(bench.heard, ['{"name":"a"}', '{"name":"b"}', '{"name":"c"}']);
});

test('requests with an id are taken at once, and answered when their answers are ready', async () => {
  const bench = new Bench();
  bench.send('slow {"id":1}', 'ordered', 'quick {"id":"two"}');
  await settled();
  assert.deepEqual(bench.asked.map(nameOf), ['slow', 'ordered', 'quick']);
  const [slow, ordered, quick] = bench.asked;
  quick?.answer({ ok: true });
  await settled();
  ordered?.answer({ ok: true });
  await settled();
  slow?.answer({ ok: true });
  await settled();
  assert.deepEqual(bench.heard, ['{"id":"two","ok":true}', '{"ok":true}', '{"id":1,"ok":true}']);
});

test('what is no JSON is answered in its turn', async () => {
  const bench = new Bench();
  bench.send('a', 'b {', 'c');
  await settled();
  bench.asked[0]?.answer({ n: 1 });
  await settled();
  bench.asked[1]?.answer({ n: 3 });
  await settled();
  assert.deepEqual(bench.heard, ['{"n":1}', '{"error_text":"Invalid JSON"}', '{"n":3}']);
});

test('lines may come in any pieces', async () => {
  const bytes = Buffer.from('a {"n":1}\r\nb {"n":"é"}\nc {"n":3}\n');
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length)), async (places) => {
      const bench = new Bench();
      const at = [0, ...places.sort((a, b) => a - b), bytes.length];
      for (const [index, end] of at.slice(1).entries()) bench.connection.feed(bytes.subarray(at[index], end));
      const names: string[] = [];
      while (names.length < 3) {
        await settled();
        for (const asked of bench.asked.splice(0)) {
          names.push(nameOf(asked));
          asked.answer({});
        }
      }
      assert.deepEqual(names, ['a 1', 'b é', 'c 3']);
    }),
    { numRuns: 50 },
  );
});

test('beyond the limit of requests in progress the client is not read from until answers have gone out', async () => {
  const bench = new Bench();
  bench.send(...Array.from({ length: 8 }, (_, n) => `r {"id":${n},"n":${n}}`));
  await settled();
  assert.equal(bench.asked.length, LIMITS.pipelined);
  assert.equal(bench.paused, true);
  bench.asked.shift()?.answer({});
  await settled();
  assert.equal(bench.asked.length, LIMITS.pipelined);
  assert.equal(bench.paused, true);
  for (const asked of bench.asked.splice(0)) asked.answer({});
  await settled();
  assert.deepEqual(bench.asked.map(nameOf), ['r 6', 'r 7']);
  assert.equal(bench.paused, false);
});

test('requests in progress are counted in bytes too', async () => {
  const bench = new Bench();
  const long = 'x'.repeat(600);
  bench.send(`a {"id":1,"x":"${long}"}`, `b {"id":2,"x":"${long}"}`, 'c {"id":3}');
  await settled();
  assert.deepEqual(bench.asked.map(nameOf), ['a', 'b']);
  assert.equal(bench.paused, true);
  bench.asked[0]?.answer({});
  await settled();
  assert.deepEqual(bench.asked.map(nameOf), ['a', 'b', 'c']);
  assert.equal(bench.paused, false);
});

test('a client that does not read is not read from', async () => {
  const bench = new Bench({ reads: false });
  const long = 'x'.repeat(600);
  bench.send('a {"id":1}', 'b {"id":2}');
  await settled();
  for (const asked of bench.asked.splice(0)) asked.answer({ long });
  await settled();
  bench.send('c {"id":3}');
  await settled();
  assert.deepEqual([bench.asked.length, bench.paused, bench.written.length], [0, true, 1]);
  bench.drain();
  await settled();
  assert.deepEqual(bench.asked.map(nameOf), ['c']);
  assert.equal(bench.paused, false);
});

test('of requests without an id none is answered while the client does not read', async () => {
  const bench = new Bench({ reads: false });
  const long = 'x'.repeat(600);
  bench.send('a', 'b', 'c', 'd');
  for (let answered = 0; answered < 2; answered++) {
    await settled();
    bench.asked.shift()?.answer({ long });
  }
  await settled();
  assert.equal(bench.asked.length, 0);
  bench.drain();
  await settled();
  assert.deepEqual(bench.asked.map(nameOf), ['c']);
});

test('one write is in flight at a time, and what came meanwhile goes with the next', async () => {
  const bench = new Bench({ reads: false });
  bench.send('a {"id":1}', 'b {"id":2}', 'c {"id":3}');
  await settled();
  for (const asked of bench.asked.splice(0)) asked.answer({});
  await settled();
  assert.deepEqual(bench.heard, ['{"id":1}']);
  bench.drain();
  assert.deepEqual(bench.heard, ['{"id":1}', '{"id":2}', '{"id":3}']);
  assert.equal(bench.written.length, 2);
  assert.equal(bench.mostInFlight, 1);
});

test('no request holds the event loop: only some are taken in one turn', async () => {
  const bench = new Bench({ limits: { pipelined: 1_000, lineBytes: 100_000 } });
  bench.send(...Array.from({ length: 100 }, (_, id) => `r {"id":${id}}`));
  assert.equal(bench.asked.length, 16);
  await settled();
  assert.equal(bench.asked.length, 100);
});

test('a chunk of line ends is as many requests, and no great work', async () => {
  const bench = new Bench({ limits: { pipelined: 1_000 }, answers: true });
  const lines = 65_536;
  const before = process.cpuUsage();
  bench.connection.feed(Buffer.alloc(lines, '\n'));
  while (bench.asked.length < lines) await settled();
  const { user, system } = process.cpuUsage(before);
  assert.equal(bench.paused, false);
  // Some tenths of a second; with work that grows with the square of what waits, it was eight seconds.
  assert.ok(user + system < 4_000_000, `${user + system} µs`);
});

test('the end of the input is the end of the connection, once everything is answered', async () => {
  const bench = new Bench();
  bench.send('a', 'b {"id":1}');
  await settled();
  bench.connection.inputEnded();
  await settled();
  assert.equal(bench.ends, 0);
  for (const asked of bench.asked.splice(0)) asked.answer({ ok: true });
  await settled();
  assert.deepEqual(bench.heard, ['{"ok":true}', '{"id":1,"ok":true}']);
  assert.equal(bench.ends, 1);
});

test('what waits to be taken when the input ends is still taken', async () => {
  const bench = new Bench();
  bench.send(...Array.from({ length: 40 }, (_, n) => `r {"id":${n},"n":${n}}`));
  bench.connection.inputEnded();
  let answered = 0;
  while (bench.ends === 0) {
    for (const asked of bench.asked.splice(0)) {
      assert.equal(nameOf(asked), `r ${answered++}`);
      asked.answer({});
    }
    await settled();
  }
  assert.equal(answered, 40);
  assert.equal(bench.heard.length, 40);
});

test('half a line is no request', async () => {
  const bench = new Bench();
  bench.connection.feed(Buffer.from('stop'));
  bench.connection.inputEnded();
  await settled();
  assert.deepEqual([bench.asked.length, bench.ends], [0, 1]);
});

test('a line that is too long ends the connection, after the lines before it were taken', async () => {
  const bench = new Bench();
  bench.send('a {"id":1}');
  bench.connection.feed(Buffer.from(`b {"id":2}\n${'x'.repeat(LIMITS.lineBytes + 1)}`));
  await settled();
  assert.deepEqual(bench.asked.map(nameOf), ['a', 'b']);
  assert.equal(bench.heard.length, 1);
  const error = JSON.parse(bench.heard[0] ?? '');
  assert.equal(error.code, 'line_too_long');
  assert.equal(error.error_text, error.message);
  assert.deepEqual([bench.ends, bench.expired], [1, true]);
  // Their answers come too late, and are not written behind the end.
  for (const asked of bench.asked.splice(0)) asked.answer({ ok: true });
  await settled();
  assert.equal(bench.heard.length, 1);
  bench.send('c');
  await settled();
  assert.equal(bench.asked.length, 0);
});

test('HTTP is told so, in the first line only', async () => {
  const http = new Bench();
  http.connection.feed(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'));
  await settled();
  assert.deepEqual([JSON.parse(http.heard[0] ?? '').code, http.heard.length, http.ends], ['http', 1, 1]);
  const other = new Bench();
  other.send('stats {"id":1}', 'GET / HTTP/1.1');
  await settled();
  for (const asked of other.asked.splice(0)) asked.answer({});
  await settled();
  assert.deepEqual(other.heard, ['{"error_text":"Invalid JSON"}', '{"id":1}']);
  assert.equal(other.ends, 0);
});

test('a client that leaves too much of what is pushed unread is cut off, and its memory given back', async () => {
  const bench = new Bench({ reads: false });
  const text = 'x'.repeat(1_000);
  for (let n = 0; n < 20; n++) bench.connection.push(7, { n, text });
  await settled();
  assert.equal(bench.expired, true);
  assert.equal(bench.ends, 0);
  bench.drain();
  bench.drain();
  await settled();
  assert.deepEqual(
    bench.heard.map((line) => JSON.parse(line)).map(({ n, code }) => n ?? code),
    [0, 'slow_reader'],
  );
  assert.equal(bench.ends, 1);
});

test('many that push in turn never leave more unsent than one of them adds', async () => {
  const bench = new Bench({ reads: false });
  const text = 'x'.repeat(900);
  let pushed = 0;
  for (let n = 0; n < 50; n++) void bench.connection.pushInTurn(7, { n, text }).then(() => pushed++);
  for (let turns = 0; pushed < 50; turns++) {
    await settled();
    assert.equal(bench.expired, false);
    assert.ok(turns < 100);
    bench.drain();
  }
  assert.deepEqual(
    bench.heard.map((line) => JSON.parse(line).n),
    Array.from({ length: 50 }, (_, n) => n),
  );
});

test('a connection that is lost wakes what waits for it and takes nothing more', async () => {
  const bench = new Bench({ reads: false });
  bench.send('a', 'b');
  await settled();
  bench.connection.push(1, { text: 'x'.repeat(2_000) });
  const waiting = bench.connection.pushInTurn(1, {});
  assert.equal(bench.connection.closed.aborted, false);
  bench.connection.lost();
  assert.equal(bench.connection.closed.aborted, true);
  await waiting;
  bench.connection.feed(Buffer.from('c\n'));
  bench.asked.shift()?.answer({ ok: true });
  await settled();
  // What had been taken before is still done.
  assert.deepEqual(bench.asked.map(nameOf), ['b']);
  assert.equal(bench.written.length, 1);
  assert.equal(bench.ends, 0);
});

test('end() sends what was said so far, and no more', async () => {
  const bench = new Bench({ reads: false });
  bench.send('a', 'b');
  await settled();
  bench.asked.shift()?.answer({ name: 'a' });
  await settled();
  bench.connection.end();
  bench.connection.push(1, { late: true });
  assert.deepEqual([bench.ends, bench.expired], [0, true]);
  bench.drain();
  await settled();
  bench.asked.shift()?.answer({ name: 'b' });
  await settled();
  assert.deepEqual(bench.heard, ['{"name":"a"}']);
  assert.equal(bench.ends, 1);
});

test('whatever a client sends, in whatever pieces, each request is taken once and in its order', async () => {
  const request = fc.record({ id: fc.boolean(), pad: fc.nat(300) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 40 }),
      fc.array(fc.nat()),
      fc.infiniteStream(fc.boolean()),
      async (requests, places, coins) => {
        const bench = new Bench({ reads: false });
        const lines = requests.map(
          ({ id, pad }, n) => `r {${id ? `"id":${n},` : ''}"n":${n},"pad":"${'x'.repeat(pad)}"}\n`,
        );
        const bytes = Buffer.from(lines.join(''));
        const at = [0, ...places.map((place) => place % bytes.length).sort((a, b) => a - b), bytes.length];
        const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
        const taken: number[] = [];
        const open: (() => void)[] = [];
        const coin = coins[Symbol.iterator]();
        for (let turn = 0; bench.ends === 0; turn++) {
          assert.ok(turn < 5_000, 'it goes on');
          const chunk = bench.paused ? undefined : chunks.shift();
          if (chunk !== undefined) bench.connection.feed(chunk);
          else if (!bench.paused && chunks.length === 0) bench.connection.inputEnded();
          await new Promise((resolve) => setImmediate(resolve));
          for (const asked of bench.asked.splice(0)) {
            const n = Number(asked.request.fields.n);
            taken.push(n);
            open.push(() => asked.answer({ n }));
          }
          assert.ok(open.length <= LIMITS.pipelined);
          if (coin.next().value) open.shift()?.();
          if (coin.next().value) bench.drain();
        }
        const withId = (some: number[]): number[] => some.filter((n) => requests[n]?.id);
        const inOrder = (some: number[]): number[] => some.filter((n) => !requests[n]?.id);
        const all = requests.map((_, n) => n);
        assert.deepEqual(withId(taken), withId(all));
        assert.deepEqual(inOrder(taken), inOrder(all));
        const heard = bench.heard.map((line) => JSON.parse(line).n);
        assert.deepEqual(inOrder(heard), inOrder(all));
        assert.deepEqual(
          withId(heard).sort((a, b) => a - b),
          withId(all),
        );
        assert.equal(bench.mostInFlight, 1);
      },
    ),
    { numRuns: 100 },
  );
});
