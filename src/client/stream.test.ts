import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RocksyError } from '../wire/index.ts';
import { endedView, FakeDaemon, viewOf } from './fixtures/fake-daemon.ts';
import { type ClientOptions, connect } from './index.ts';

const QUICK: ClientOptions = { backoff: { firstMs: 1, maxMs: 5 }, patienceMs: 10_000 };

/** A daemon with one log, which it sends in pieces of `piece` bytes; each connection is cut after `perConnection` of them. */
function logDaemon(
  log: Buffer,
  piece: number,
  perConnection = Number.POSITIVE_INFINITY,
): Promise<FakeDaemon> {
  return FakeDaemon.start(({ request, push, answer, socket }) => {
    if (request.name !== 'logs') return false;
    let at = request.offset ?? 0;
    for (let sent = 0; at < log.length; sent++) {
      if (sent === perConnection) {
        socket.end();
        return true;
      }
      push('data', { offset: at, data: log.toString('latin1', at, at + piece) });
      at += piece;
    }
    answer({ offset: log.length, data: '', next_offset: log.length, size: log.length, end: true });
    return true;
  });
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  return Buffer.concat(await Array.fromAsync(chunks)).toString();
}

test('follow brings a log to its end, and once more where the connection was lost', async () => {
  const log = Buffer.from('0123456789abcdefghij');
  await using daemon = await logDaemon(log, 3, 2);
  await using client = connect(daemon.address, QUICK);
  assert.equal(await textOf(client.follow('k')), log.toString());
  assert.deepEqual(
    daemon.named('logs').map((logs) => logs.offset),
    [0, 6, 12, 18],
  );
});

test('after a loss follow goes on where the daemon says, which masked values shift', async () => {
  await using daemon = await FakeDaemon.start(({ request, push, answer, socket }) => {
    if (request.name !== 'logs') return false;
    if (request.offset === 0) {
      push('data', { offset: 0, data: 'a=***\n', next_offset: 20 });
      socket.end();
    } else answer({ offset: 20, data: 'b\n', next_offset: 22, size: 22, end: true });
    return true;
  });
  await using client = connect(daemon.address, QUICK);
  assert.equal(await textOf(client.follow('k')), 'a=***\nb\n');
  assert.equal(daemon.named('logs')[1]?.offset, 20);
});

test('bytes that are no UTF-8 arrive as they are', async () => {
  await using daemon = await FakeDaemon.start(({ request, answer, push }) => {
    if (request.name !== 'logs') return false;
    const data_base64 = Buffer.from([0, 255, 10]).toString('base64');
    if (request.follow) push('data', { offset: 0, data_base64 });
    answer(
      request.follow
        ? { offset: 3, next_offset: 3, end: true }
        : { offset: 0, data_base64, next_offset: 3, size: 3, end: true },
    );
    return true;
  });
  await using client = connect(daemon.address, QUICK);
  assert.deepEqual((await client.logs('k', { offset: -3 })).data, Buffer.from([0, 255, 10]));
  assert.deepEqual(await Array.fromAsync(client.follow('k')), [Buffer.from([0, 255, 10])]);
});

test('a slow consumer holds the daemon back, not its own memory, and other requests go on meanwhile', async () => {
  const piece = 'x'.repeat(64 * 1024);
  let pushed = 0;
  const total = 512;
  await using daemon = await FakeDaemon.start(({ request, push, answer, socket }) => {
    if (request.name !== 'logs') return false;
    const more = () => {
      while (pushed < total && !socket.writableNeedDrain)
        push('data', { offset: pushed++ * piece.length, data: piece });
      if (pushed === total) answer({ end: true });
      else socket.once('drain', more);
    };
    more();
    return true;
  });
  await using client = connect(daemon.address, QUICK);
  let bytes = 0;
  let aheadAtMost = 0;
  for await (const chunk of client.follow('k')) {
    await client.status('meanwhile');
    bytes += chunk.length;
    aheadAtMost = Math.max(aheadAtMost, pushed - bytes / piece.length);
  }
  assert.equal(bytes, total * piece.length);
  assert.ok(aheadAtMost < 64, `the daemon was ${aheadAtMost} pieces ahead`);
});

test('a follow that is left or aborted closes its connection', async () => {
  await using daemon = await FakeDaemon.start(({ request, push }) => {
    if (request.name !== 'logs') return false;
    push('data', { offset: 0, data: 'first' });
    return true;
  });
  await using client = connect(daemon.address, QUICK);
  for await (const _chunk of client.follow('k')) break;
  await daemon.until(() => daemon.sockets.size === 0);
  const abort = new AbortController();
  const reason = new Error('enough');
  await assert.rejects(async () => {
    for await (const _chunk of client.follow('k', { signal: abort.signal })) abort.abort(reason);
  }, reason);
  await daemon.until(() => daemon.sockets.size === 0);
});

test('a refused follow is the daemon’s error, at once', async () => {
  await using daemon = await FakeDaemon.start(({ request, refuse }) => {
    if (request.name !== 'logs') return false;
    refuse(new RocksyError('not_found', "no run has the key 'k'"));
    return true;
  });
  await using client = connect(daemon.address, QUICK);
  await assert.rejects(textOf(client.follow('k')), { code: 'not_found' });
  assert.equal(daemon.named('logs').length, 1);
});

test('events come as they happen; after a loss they go on behind a mark', async () => {
  await using daemon = await FakeDaemon.start(({ request, answer, push, socket }) => {
    if (request.name !== 'subscribe') return false;
    answer();
    if (daemon.named('subscribe').length === 1) {
      push('started', { run: viewOf('a') });
      push('invented_later', {});
      push('log', { key: 'a', offset: 0, size: 12 });
      socket.end();
    } else push('exited', { run: endedView('b') });
    return true;
  });
  await using client = connect(daemon.address, QUICK);
  await using events = await client.events({ pool: 'web' }).subscribed();
  const seen: unknown[] = [];
  for await (const event of events) {
    seen.push('run' in event ? [event.event, event.run.key] : event);
    if (event.event === 'exited') break;
  }
  assert.deepEqual(seen, [
    ['started', 'a'],
    { event: 'log', key: 'a', offset: 0, size: 12 },
    { event: 'missed' },
    ['exited', 'b'],
  ]);
  assert.deepEqual(
    daemon.named('subscribe').map((subscribe) => subscribe.pool),
    ['web', 'web'],
  );
});

test('closing the client ends its streams', async () => {
  await using daemon = await FakeDaemon.start();
  const client = connect(daemon.address, QUICK);
  const events = await client.events().subscribed();
  const next = events.next();
  client.close();
  await assert.rejects(next, { name: 'AbortError' });
  await daemon.until(() => daemon.sockets.size === 0);
});
