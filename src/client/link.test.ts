import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RocksyError } from '../wire/index.ts';
import { type Exchange, endedView, FakeDaemon, HELLO, viewOf } from './fixtures/fake-daemon.ts';
import { type ClientOptions, ConnectionError, connect } from './index.ts';

const QUICK: ClientOptions = { backoff: { firstMs: 1, maxMs: 5 }, patienceMs: 10_000 };

function isConnectionError(reason: string) {
  return (error: unknown) => error instanceof ConnectionError && error.reason === reason;
}

test('answers find their requests whatever their order', async () => {
  const open: Exchange[] = [];
  await using daemon = await FakeDaemon.start((exchange) => {
    if (exchange.request.name !== 'status') return false;
    open.push(exchange);
    if (open.length === 3) {
      for (const { answer, request } of open.reverse())
        answer({ run: viewOf('key' in request ? String(request.key) : '') });
    }
    return true;
  });
  await using client = connect(daemon.address, QUICK);
  const runs = await Promise.all(['a', 'b', 'c'].map((key) => client.status(key)));
  assert.deepEqual(
    runs.map((run) => run.key),
    ['a', 'b', 'c'],
  );
  assert.equal(daemon.sockets.size, 1, 'over one connection');
});

test('a run without a key gets a new one, and 64-bit numbers reach the daemon digit by digit', async () => {
  await using daemon = await FakeDaemon.start();
  await using client = connect(daemon.address, QUICK);
  const { run, known } = await client.run({ class: 'C', params: [9007199254740993n] });
  assert.match(run.key, /^[0-9a-f-]{36}$/);
  assert.equal(known, false);
  assert.equal(JSON.stringify(daemon.named('run')[0]?.params), '[9007199254740993]');
});

test('a refusal of the daemon is a RocksyError with its code, hint and output', async () => {
  const refusal = new RocksyError('bootstrap_failed', 'web: exit 255', {
    hint: 'see output',
    output: 'PHP Parse error',
  });
  await using daemon = await FakeDaemon.start(({ request, refuse }) => {
    if (request.name !== 'reload') return false;
    refuse(refusal);
    return true;
  });
  await using client = connect(daemon.address, QUICK);
  await assert.rejects(client.reload('web'), {
    name: 'RocksyError',
    code: 'bootstrap_failed',
    output: 'PHP Parse error',
  });
});

test('a code that this client does not know is kept in the message', async () => {
  await using daemon = await FakeDaemon.start(({ request, socket, id }) => {
    if (request.name !== 'pools') return false;
    socket.write(`${JSON.stringify({ id, ok: false, code: 'on_strike', message: 'not today' })}\n`);
    return true;
  });
  await using client = connect(daemon.address, QUICK);
  await assert.rejects(client.pools(), { code: 'internal', message: 'on_strike: not today' });
});

test('the token is said in hello and shows nowhere else', async () => {
  await using daemon = await FakeDaemon.start(({ request, refuse, answer }) => {
    if (request.name !== 'hello') return false;
    if (request.token === 'open sesame') answer(HELLO);
    else refuse(new RocksyError('unauthorized', 'wrong token'));
    return true;
  });
  await using right = connect(daemon.address, { ...QUICK, token: 'open sesame' });
  assert.equal((await right.hello({ token: 'open sesame' })).role, 'admin');
  await using wrong = connect(daemon.address, { ...QUICK, token: 'guess', firstPatienceMs: 60_000 });
  await assert.rejects(wrong.pools(), (error: unknown) => {
    assert.ok(error instanceof RocksyError && error.code === 'unauthorized', 'at once, without trying again');
    assert.doesNotMatch(`${error.stack}`, /guess/);
    return true;
  });
});

test('a connection lost in the middle of an answer: what may be sent again is, the rest says that it does not know', async () => {
  let cuts = 0;
  await using daemon = await FakeDaemon.start(({ request, socket, id }) => {
    if (cuts > 0 || request.name !== 'signal') return cuts === 0 && request.name !== 'hello';
    cuts++;
    socket.write(`{"id":${String(id)},"ok":tr`, () => socket.destroy());
    return true;
  });
  await using client = connect(daemon.address, QUICK);
  const started = client.run({ class: 'C' });
  const waited = client.wait('other');
  const freed = client.free('third');
  await assert.rejects(client.signal('k', 'SIGHUP'), isConnectionError('lost'));
  assert.equal((await started).known, false);
  assert.equal((await waited).outcome, 'succeeded');
  await freed;
  assert.deepEqual(
    daemon.named('run').map((run) => run.key),
    [(await started).run.key, (await started).run.key],
    'the same key, so that nothing runs twice',
  );
  assert.equal(daemon.named('signal').length, 1);
});

test('free that was sent twice and found nothing the second time has freed', async () => {
  await using daemon = await FakeDaemon.start(({ request, socket, refuse }) => {
    if (request.name !== 'free') return false;
    if (daemon.named('free').length === 1) socket.destroy();
    else refuse(new RocksyError('not_found', 'no run has this key'));
    return true;
  });
  await using client = connect(daemon.address, QUICK);
  await client.free('k');
  await assert.rejects(client.free('k'), { code: 'not_found' });
});

test('what is left of a time limit is what is sent again', async () => {
  await using daemon = await FakeDaemon.start(({ request, socket, answer }) => {
    if (request.name !== 'wait') return false;
    if (daemon.named('wait').length === 1) socket.destroy();
    else answer({ run: endedView('k') });
    return true;
  });
  await using client = connect(daemon.address, { ...QUICK, backoff: { firstMs: 20, maxMs: 20 } });
  await client.wait('k', { timeout_ms: 60_000 });
  const [first, second] = daemon.named('wait').map((wait) => wait.timeout_ms ?? 0);
  assert.ok(first !== undefined && second !== undefined && second <= first && second > 0);
});

test('no daemon: one attempt, and the error names the address and the reason', async () => {
  await using daemon = await FakeDaemon.start();
  await daemon.silence();
  await using client = connect(daemon.address, QUICK);
  await assert.rejects(client.pools(), (error: unknown) => {
    assert.ok(error instanceof ConnectionError);
    assert.equal(error.reason, 'unreachable');
    assert.equal(error.message, `No daemon answers at ${daemon.address} (there is no such socket)`);
    return true;
  });
  await daemon.listen();
  assert.deepEqual(await client.pools(), [], 'the next request looks again');
});

test('requests made while there is no daemon are answered when it comes; the queue is bounded', async () => {
  await using daemon = await FakeDaemon.start();
  await daemon.silence();
  await using client = connect(daemon.address, { ...QUICK, firstPatienceMs: 60_000, maxQueued: 2 });
  const waiting = [client.wait('a'), client.drain('web')];
  await assert.rejects(client.wait('c'), isConnectionError('queue_full'));
  await daemon.listen();
  await Promise.all(waiting);
});

test('a repeatable request outlives a daemon that is away for a while', async () => {
  await using daemon = await FakeDaemon.start();
  await using client = connect(daemon.address, QUICK);
  await client.pools();
  await daemon.silence();
  const waited = client.wait('a');
  await daemon.listen();
  assert.equal((await waited).key, 'a');
});

test('patience ends', async () => {
  await using daemon = await FakeDaemon.start();
  await using client = connect(daemon.address, { ...QUICK, patienceMs: 20 });
  await client.pools();
  await daemon.silence();
  await assert.rejects(client.status('a'), isConnectionError('unreachable'));
});

test('a daemon that dies of a request is asked five times, not for ever', async () => {
  await using daemon = await FakeDaemon.start(({ request, socket }) => {
    if (request.name !== 'status') return false;
    socket.destroy();
    return true;
  });
  await using client = connect(daemon.address, QUICK);
  await assert.rejects(client.status('poison'), isConnectionError('lost'));
  assert.equal(daemon.named('status').length, 5);
});

for (const [what, garbage] of [
  ['no JSON', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
  ['the original daemon', '{"error_text":"UNKNOWN REQUEST \'request_hello\': {}"}\n'],
  ['invalid UTF-8', Buffer.from([0xff, 0xfe, 0x0a])],
  ['an answer that nobody asked for', '{"id":77,"ok":true}\n'],
  ['another protocol', '{"id":0,"ok":true,"version":"9","protocol":9,"pid":1,"role":null}\n'],
  ['a line without end', Buffer.alloc(5000, 'x')],
] as const) {
  test(`garbage instead of hello (${what}) is an error at once`, async () => {
    await using daemon = await FakeDaemon.start();
    daemon.onConnection = (socket) => void socket.write(garbage);
    await using client = connect(daemon.address, { ...QUICK, maxLineBytes: 4096, firstPatienceMs: 60_000 });
    await assert.rejects(client.pools(), isConnectionError('protocol'));
  });
}

test('garbage after hello rejects everything that is open, and nothing is sent again', async () => {
  await using daemon = await FakeDaemon.start(({ request, socket }) => {
    if (request.name === 'pools') socket.write('{"id":2,"ok":"perhaps"}\n');
    return request.name !== 'hello';
  });
  await using client = connect(daemon.address, QUICK);
  const waited = assert.rejects(client.wait('k'), isConnectionError('protocol'));
  await assert.rejects(client.pools(), /quote|does not answer as a rocksyd does.*perhaps/);
  await waited;
  assert.equal(daemon.named('wait').length, 1);
});

test('a request beyond the daemon’s limit of a line is refused alone; its neighbours go again', async () => {
  await using daemon = await FakeDaemon.start(
    ({ request }) => request.name === 'wait' && daemon.sockets.size > 0 && daemon.named('wait').length === 1,
  );
  await using client = connect(daemon.address, QUICK);
  const waited = client.wait('k');
  await assert.rejects(client.run({ class: 'C', stdin: 'x'.repeat(2 * 1024 * 1024) }), {
    code: 'line_too_long',
  });
  assert.equal((await waited).state, 'ended');
  assert.equal(daemon.named('wait').length, 2);
});

test('params that nest too deep are refused before they are sent', async () => {
  await using daemon = await FakeDaemon.start();
  await using client = connect(daemon.address, QUICK);
  let deep: unknown = 1;
  for (let i = 0; i < 120; i++) deep = [deep];
  await assert.rejects(client.run({ class: 'C', params: deep }), { code: 'invalid_json' });
  assert.equal(daemon.named('run').length, 0);
});

test('an aborted request rejects with the reason, and its late answer disturbs nobody', async () => {
  const waits: Exchange[] = [];
  await using daemon = await FakeDaemon.start(
    (exchange) => exchange.request.name === 'wait' && waits.push(exchange) > 0,
  );
  await using client = connect(daemon.address, QUICK);
  const reason = new Error('enough');
  const abort = new AbortController();
  const waited = client.wait('k', { signal: abort.signal });
  await daemon.until(() => waits.length === 1);
  abort.abort(reason);
  await assert.rejects(waited, reason);
  waits[0]?.answer({ run: endedView('k') });
  assert.equal((await client.status('other')).key, 'other');
  await assert.rejects(client.status('k', { signal: abort.signal }), reason);
});

test('abort while there is no daemon ends the search, and the client can be used again', async () => {
  await using daemon = await FakeDaemon.start();
  await daemon.silence();
  await using client = connect(daemon.address, { ...QUICK, firstPatienceMs: 60_000 });
  const abort = new AbortController();
  const first = client.pools({ signal: abort.signal });
  abort.abort();
  const second = client.pools();
  await assert.rejects(first, { name: 'AbortError' });
  await daemon.listen();
  assert.deepEqual(await second, []);
});

test('close rejects what is open and refuses what comes', async () => {
  await using daemon = await FakeDaemon.start(({ request }) => request.name === 'wait');
  const client = connect(daemon.address, QUICK);
  const waited = client.wait('k');
  await daemon.until(() => daemon.named('wait').length === 1);
  client.close();
  await assert.rejects(waited, isConnectionError('closed'));
  await assert.rejects(client.pools(), isConnectionError('closed'));
  await daemon.until(() => daemon.sockets.size === 0);
});

test('bye ends the connection; the next request makes a new one', async () => {
  await using daemon = await FakeDaemon.start();
  await using client = connect(daemon.address, QUICK);
  await client.bye();
  assert.deepEqual(await client.pools(), []);
  assert.equal(daemon.named('hello').length, 2);
});

test('search gives the matches and where to go on, and is sent again after a loss', async () => {
  let asked = 0;
  await using daemon = await FakeDaemon.start(({ request, answer, socket }) => {
    if (request.name !== 'search') return false;
    asked += 1;
    if (asked === 1) socket.destroy();
    else if (request.text === 'x')
      answer({ matches: [{ offset: 4, line: 'x' }], next_offset: 6, size: 9, end: false });
    else answer({});
    return true;
  });
  await using client = connect(daemon.address, QUICK);
  assert.deepEqual(await client.search('k', 'x', { offset: 2, limit: 1, ignore_case: true }), {
    matches: [{ offset: 4, line: 'x' }],
    next_offset: 6,
    size: 9,
    end: false,
  });
  await assert.rejects(client.search('k', 'misshapen'), isConnectionError('protocol'));
});

test('list fetches the next page only when it is consumed', async () => {
  await using daemon = await FakeDaemon.start(({ request, answer }) => {
    if (request.name !== 'list') return false;
    const page = Number(request.before ?? 0);
    answer({ runs: [viewOf(`${page}a`), viewOf(`${page}b`)], next: page < 9 ? String(page + 1) : null });
    return true;
  });
  await using client = connect(daemon.address, QUICK);
  const keys: string[] = [];
  for await (const run of client.list({ state: 'active' })) {
    keys.push(run.key);
    if (keys.length === 3) break;
  }
  assert.deepEqual(keys, ['0a', '0b', '1a']);
  assert.equal(daemon.named('list').length, 2);
  assert.equal((await Array.fromAsync(client.list())).length, 20);
});
