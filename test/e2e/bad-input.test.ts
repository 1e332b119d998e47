import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import type net from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { TestDaemon, until } from '../support/daemon.ts';
import { Health } from '../support/health.ts';
import { connected, Wire } from '../support/wire.ts';

const MIB = 2 ** 20;
/** What the worker may grow by while somebody misbehaves. */
const SOME = 64 * MIB;

const TOKENS = { viewer: 'a viewer’s token', operator: 'an operator’s token', admin: 'an admin’s token' };
const AUTH = Object.entries(TOKENS)
  .map(([role, token]) => {
    const sha256 = createHash('sha256').update(token).digest('hex');
    return `    - { name: ${role}, role: ${role}, sha256: ${sha256} }`;
  })
  .join('\n');
const HAS_PHP = (process.env.PATH ?? '').split(':').some((folder) => fs.existsSync(path.join(folder, 'php')));

let daemon: TestDaemon;

before(async () => {
  daemon = await TestDaemon.start({
    listen: ['tcp://127.0.0.1:0', 'unix:./var/open.sock?mode=0666'],
    more: `default_pool: os\nauth:\n  tokens:\n${AUTH}\n`,
    pools: [
      '  os: { runtime: command, allow_env: [LANG, APP_*], {user} }',
      ...(HAS_PHP ? ['  web: { runtime: php, bootstrap: ./bootstrap.php, prefork: 0, {user} }'] : []),
    ].join('\n'),
    files: { 'bootstrap.php': '<?php\n' },
  });
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
});

/** Resolves when the system has taken the bytes, or the socket has broken. */
function written(socket: net.Socket, bytes: Buffer | string): Promise<void> {
  return new Promise((resolve) => {
    socket.write(bytes, () => resolve());
  });
}

function open(): Promise<Wire> {
  return Wire.open(daemon.socket);
}

test('a line without end is refused at its limit, and the connection closed', async () => {
  await using health = await Health.watch(daemon.socket);
  using wire = await Wire.open(daemon.tcpPort);
  wire.socket.write('stats {"x":"');
  wire.socket.write(Buffer.alloc(MIB, 'x'));
  assert.equal((await wire.json()).code, 'line_too_long');
  assert.equal(await wire.line(), null);
  await health.assertUndisturbed(SOME);
});

test('a gigabyte of zero bytes is cut off early', async () => {
  await using health = await Health.watch(daemon.socket);
  using wire = await Wire.open(daemon.tcpPort);
  const zeros = Buffer.alloc(MIB);
  // Heard while it is sent: a client that writes on where nobody reads loses what it has not taken by then, as TCP has it.
  const answer = wire.json();
  let sent = 0;
  while (sent < 1_024 && wire.socket.writable) {
    await written(wire.socket, zeros);
    sent++;
  }
  assert.ok(sent < 64, `${sent} MiB were taken`);
  assert.equal((await answer).code, 'line_too_long');
  assert.equal(await wire.line(), null);
  await health.assertUndisturbed(SOME);
});

test('a client that was refused and sends on has a few seconds and a few MiB', async () => {
  await using health = await Health.watch(daemon.socket);
  using wire = await Wire.open(daemon.tcpPort);
  wire.socket.removeAllListeners('end');
  wire.socket.write(Buffer.alloc(MIB + 1, 'x'));
  assert.equal((await wire.json()).code, 'line_too_long');
  // It hears the end, and takes no notice.
  for (let sent = 0; sent < 64 && !wire.socket.destroyed; sent++) {
    await written(wire.socket, Buffer.alloc(MIB, 'x'));
  }
  assert.equal(wire.socket.destroyed, true);
  await health.assertUndisturbed(SOME);
});

test('bytes that are no UTF-8 are told so, and the connection goes on', async () => {
  using wire = await open();
  wire.socket.write(Buffer.from('stats {"id":1,"x":"\xff\xfe"}\nstats {"id":2}\n\xc3\n', 'latin1'));
  const heard = [await wire.json(), await wire.json(), await wire.json()];
  assert.deepEqual(heard.map((answer) => answer.error_text ?? answer.id).sort(), [
    2,
    'Invalid JSON',
    'Invalid JSON',
  ]);
});

test('JSON of 100,000 levels is told so, and the connection goes on', async () => {
  await using health = await Health.watch(daemon.socket);
  using wire = await open();
  for (const [opening, closing] of [
    ['[', ']'],
    ['{"a":', '}'],
  ] as const) {
    const deep = `${opening.repeat(100_000)}1${closing.repeat(100_000)}`;
    assert.deepEqual(await wire.ask(`run {"hash":1,"argv":["true"],"params":${deep}}`), {
      error_text: 'Invalid JSON',
    });
  }
  assert.equal((await wire.ask('stats {"id":1}')).ok, true);
  await health.assertUndisturbed(SOME);
});

test('numbers beyond all bounds are refused where they mean something, and kept where they do not', async () => {
  using wire = await open();
  const digits = '9'.repeat(100_000);
  for (const request of [
    'list {"limit":1e400}',
    `list {"limit":${digits}}`,
    'run {"key":"huge","argv":["true"],"timeout_ms":1e400}',
    'run {"key":"huge","argv":["true"],"timeout_ms":0.5}',
    'logs {"key":"huge","length":-1e308}',
    'signal {"key":"huge","signal":1e5}',
  ]) {
    assert.equal((await wire.ask(request)).code, 'invalid_request', request.slice(0, 60));
  }
  assert.deepEqual(await wire.ask('check {"hash":1e400}'), { error_text: 'Hash is not numeric' });
  assert.deepEqual(await wire.ask(`check {"hash":${digits}}`), { error_text: 'Hash is not numeric' });
  wire.send('check {"id":1e400,"key":"nobody"}');
  assert.match((await wire.line()) ?? '', /^{"id":1e400,"ok":false,"code":"not_found"/);
});

test('64-bit hashes that a double would take for one another are different runs', async () => {
  using wire = await open();
  const hashes = ['9007199254740992', '9007199254740993', '18446744073709551614', '18446744073709551615'];
  for (const hash of hashes) {
    wire.send(`run {"hash":${hash},"argv":["sh","-c","echo $ROCKSY_KEY"]}`);
    assert.equal(await wire.line(), '{"error_text":"OK"}');
  }
  for (const hash of hashes) {
    assert.equal((await wire.ask(`wait {"id":1,"hash":${hash}}`)).ok, true);
    assert.equal((await wire.ask(`logs {"id":1,"hash":${hash}}`)).data, `${hash}\n`);
  }
});

test('unknown fields are ignored', async () => {
  using wire = await open();
  const fields = '"colour":"red","__proto__":{"key":"x"},"constructor":1,"name":"stop","byHash":true';
  const { run } = await wire.ask(`run {"id":1,"key":"unknown-fields","argv":["true"],${fields}}`);
  assert.equal((run as { key: string }).key, 'unknown-fields');
  assert.equal((await wire.ask(`wait {"id":2,"key":"unknown-fields",${fields}}`)).ok, true);
});

test('what a run can’t be started with is refused by name, and nothing is known of it', async () => {
  using wire = await open();
  const refused: readonly [string, string, RegExp][] = [
    ['"argv":["true"],"pool":"nowhere"', 'unknown_pool', /nowhere/],
    ['"class":"Report"', 'not_supported', /argv, not class/],
    ['"argv":["true"],"params":"text"', 'invalid_request', /^params: /],
    ['"argv":["true"],"params":7', 'invalid_request', /^params: /],
    ['"argv":["true"],"params":1e400', 'invalid_request', /^params: /],
    ['"argv":["true"],"params":null', 'invalid_request', /^params: /],
    ['"argv":["echo","a\\u0000b"]', 'invalid_request', /NUL/],
    ['"argv":["true"],"cwd":"/tmp\\u0000"', 'invalid_request', /NUL/],
    ['"argv":["true"],"cwd":"tmp"', 'invalid_request', /^cwd: /],
    ['"argv":["true"],"env":{"LD_PRELOAD":"x"}', 'invalid_request', /LD_PRELOAD/],
    ['"argv":["true"],"env":{"__proto__":"x"}', 'invalid_request', /__proto__/],
    ['"argv":["true"],"env":{"APP_X":"a\\u0000b"}', 'invalid_request', /APP_X/],
    ['"argv":["true"],"env":{"APP_=":"x"}', 'invalid_request', /APP_=/],
    ['"argv":["true"],"log":"../../x"', 'invalid_request', /^log: /],
    ['"argv":"true"', 'invalid_request', /^argv: /],
    ['"argv":[]', 'invalid_request', /^argv: /],
    ['"argv":["true"],"class":"C"', 'invalid_request', /class or argv/],
    ...(HAS_PHP ? ([['"argv":["true"],"pool":"web"', 'not_supported', /class, not argv/]] as const) : []),
  ].map(([fields, code, message]) => [fields, code, message] as [string, string, RegExp]);
  for (const [fields, code, message] of refused) {
    const answer = await wire.ask(`run {"id":1,"key":"refused",${fields}}`);
    assert.equal(answer.code, code, `${fields}: ${JSON.stringify(answer)}`);
    assert.match(String(answer.message), message);
  }
  wire.send('run {"id":1,"key":"refused","argv":["echo","\\ud800"]}');
  assert.equal(await wire.line(), '{"error_text":"Invalid JSON"}');
  wire.send('run {"id":1,"key":"refused\\udc00","argv":["true"]}');
  assert.equal(await wire.line(), '{"error_text":"Invalid JSON"}');
  assert.equal((await wire.ask('status {"id":1,"key":"refused"}')).code, 'not_found');
});

test('an HTTP request is told that this is no HTTP, once', async () => {
  for (const request of [
    'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'POST /run HTTP/1.1\r\nContent-Length: 13\r\n\r\nrun {"hash":1}',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ]) {
    using wire = await Wire.open(daemon.tcpPort);
    wire.socket.write(request);
    assert.equal((await wire.json()).code, 'http');
    assert.equal(await wire.line(), null);
  }
});

/** Runs whose `list` is long. */
async function makeLongList(): Promise<void> {
  using wire = await open();
  const pad = 'x'.repeat(8_192);
  const keys = Array.from({ length: 100 }, (_, n) => `long-${n}`);
  wire.send(...keys.map((key) => `run {"id":1,"key":"${key}","argv":["true","${pad}"]}`));
  for (const _ of keys) assert.equal((await wire.json()).ok, true);
  wire.send(...keys.map((key) => `wait {"id":1,"key":"${key}"}`));
  for (const _ of keys) assert.equal((await wire.json()).ok, true);
}

test('clients that ask 100,000 times and never read cost little, and disturb nobody', async () => {
  await makeLongList();
  await using health = await Health.watch(daemon.socket);
  const lines = (request: (n: number) => string): string =>
    Array.from({ length: 100_000 }, (_, n) => `${request(n)}\n`).join('');
  const sockets: net.Socket[] = [];
  const pad = `"pad":"${'x'.repeat(100)}"`;
  for (const request of [
    (n: number) => `list {"id":${n},${pad}}`,
    () => `list {${pad}}`,
    (n: number) => `stats {"id":${n},${pad}}`,
    () => `nonsense {${pad}}`,
  ]) {
    const socket = await connected(daemon.socket);
    sockets.push(socket.on('error', () => undefined));
    socket.write(lines(request));
  }
  await health.answers(50);
  for (const socket of sockets) assert.ok(socket.writableLength > 0, 'it is not read from any more');
  await health.assertUndisturbed(2 * SOME);
  for (const socket of sockets) socket.destroy();
});

test('a client that reads at last gets everything', async () => {
  await using health = await Health.watch(daemon.socket);
  using wire = await open();
  const count = 20_000;
  wire.socket.pause();
  wire.send(...Array.from({ length: count }, (_, n) => `check {"hash":"${n}x","n":${n}}`));
  await health.answers(10);
  wire.socket.resume();
  for (let n = 0; n < count; n++) assert.equal(await wire.line(), '{"error_text":"Hash is not numeric"}');
});

test('10,000 clients that never end their line leave room for others', async () => {
  await using health = await Health.watch(daemon.socket);
  const sockets: net.Socket[] = [];
  try {
    while (sockets.length < 10_000) {
      const some = await Promise.all(Array.from({ length: 250 }, () => connected(daemon.tcpPort)));
      for (const socket of some) socket.write('stats {"ha');
      sockets.push(...some);
    }
    using wire = await open();
    await until(
      'all are connected',
      async () => Number((await wire.ask('stats {"id":1}')).connections) > 10_000,
    );
    const asked = performance.now();
    using newcomer = await Wire.open(daemon.tcpPort);
    assert.equal((await newcomer.ask('hello')).ok, true);
    assert.ok(performance.now() - asked < 1_000);
    await health.assertUndisturbed(3 * SOME);
  } finally {
    for (const socket of sockets) socket.resetAndDestroy();
  }
  using wire = await open();
  await until(
    'the daemon has noticed',
    async () => Number((await wire.ask('stats {"id":1}')).connections) < 100,
  );
});

test('1,000 runs that were asked for on a connection that dropped run once, asked for again or not', async () => {
  await using health = await Health.watch(daemon.socket);
  const keys = Array.from({ length: 1_000 }, (_, n) => `dropped-${n}`);
  const lines = keys.map(
    (key) => `run {"id":"${key}","key":"${key}","argv":["sh","-c","echo $ROCKSY_KEY"],"log":"dropped"}`,
  );
  const socket = await connected(daemon.socket);
  await written(socket, `${lines.join('\n')}\n`);
  socket.destroy();
  using wire = await open();
  wire.send(...lines);
  for (const _ of keys) assert.equal((await wire.json()).ok, true);
  wire.send(...keys.map((key) => `wait {"id":1,"key":"${key}"}`));
  for (const _ of keys) assert.equal((await wire.json()).ok, true);
  const { data } = await wire.ask('logs {"id":1,"key":"dropped-0"}');
  assert.deepEqual(String(data).trimEnd().split('\n').sort(), keys.sort());
  await health.assertUndisturbed(3 * SOME);
});

test('a client that has closed its side still gets its answers, in their order, and then the end', async () => {
  using wire = await open();
  wire.send('run {"key":"half-closed","argv":["sh","-c","exit 3"]}', 'wait {"key":"half-closed"}', 'stats');
  wire.socket.end('check {"hash":"never ended"}');
  assert.equal((await wire.json()).known, false);
  assert.equal((await wire.json()).ok, true);
  assert.equal(typeof (await wire.json()).worker_pid, 'number');
  assert.equal(await wire.line(), null);
});

test('over TCP a client may do what its token’s role allows, and nothing before it has said hello', async () => {
  const needed = {
    viewer: [
      'status {"key":"x"}',
      'list',
      'wait {"key":"x"}',
      'check {"key":"x"}',
      'logs {"key":"x"}',
      'pools',
    ],
    operator: ['run {"key":"x","argv":["true"],"pool":"nowhere"}', 'cancel {"key":"x"}', 'free {"key":"x"}'],
    admin: ['reload {"pool":"nowhere"}', 'drain {"pool":"nowhere"}', 'restart {"id":1}'],
  };
  const roles = ['viewer', 'operator', 'admin'] as const;
  const isRefused = (answer: Record<string, unknown>): boolean =>
    answer.code === 'unauthorized' || answer.code === 'forbidden';

  using stranger = await Wire.open(daemon.tcpPort);
  assert.equal((await stranger.ask('hello')).role, null);
  for (const request of roles.flatMap((role) => needed[role]))
    assert.equal((await stranger.ask(request)).code, 'unauthorized', request);
  assert.equal((await stranger.ask('hello {"token":"guessed"}')).code, 'unauthorized');
  assert.equal((await stranger.ask('list')).code, 'unauthorized');
  const original = await stranger.ask('run {"hash":1,"argv":["true"]}');
  assert.deepEqual([typeof original.error_text, original.code], ['string', 'unauthorized']);

  for (const [rank, role] of roles.entries()) {
    using wire = await Wire.open(daemon.tcpPort);
    assert.equal((await wire.ask(`hello {"token":"${TOKENS[role]}"}`)).role, role);
    // A token that is none takes nothing away.
    assert.equal((await wire.ask('hello {"token":"guessed"}')).code, 'unauthorized');
    for (const [neededRank, other] of roles.entries()) {
      for (const request of needed[other])
        assert.equal(isRefused(await wire.ask(request)), neededRank > rank, `${role}: ${request}`);
    }
  }
});

test('over a Unix socket root and the daemon’s own user are admin, anybody else is operator', async (t) => {
  const { socket } = daemon;
  using own = await Wire.open(socket);
  assert.equal((await own.ask('hello')).role, 'admin');
  using ownByOpen = await Wire.open(socket.replace('rocksyd.sock', 'open.sock'));
  assert.equal((await ownByOpen.ask('hello')).role, 'admin');
  if (process.getuid?.() !== 0) return t.skip('needs root, to be somebody else');
  const asNobody = async (where: string): Promise<string> => {
    const script = `require('net').connect(${JSON.stringify(where)}).on('error', (error) => console.log(error.code))
      .end('hello\\nrestart\\nstop\\n').pipe(process.stdout)`;
    const stdio = ['ignore', 'pipe', 'inherit'] as const;
    const child = spawn(process.execPath, ['-e', script], {
      uid: 65_534,
      gid: 65_534,
      stdio: [...stdio],
      cwd: '/',
    });
    return await text(child.stdout);
  };
  assert.equal(await asNobody(socket), 'EACCES\n');
  const [hello = '', ...others] = (await asNobody(socket.replace('rocksyd.sock', 'open.sock'))).split('\n');
  assert.equal(JSON.parse(hello).role, 'operator');
  assert.match(others.join('\n'), /"code":"forbidden".*\n.*"code":"forbidden"/);
});

test('beyond the limit of connections newcomers are told so; admins on the machine still get in', async () => {
  await using small = await TestDaemon.start({
    listen: ['tcp://127.0.0.1:0'],
    more: 'auth: none\nlimits: { connections: 20 }',
    pools: '  os: { runtime: command, {user} }',
  });
  const wires = await Promise.all(Array.from({ length: 20 }, () => Wire.open(small.tcpPort)));
  for (const wire of wires) assert.equal((await wire.ask('stats {"id":1}')).ok, true);
  for (let more = 0; more < 30; more++) {
    using wire = await Wire.open(small.tcpPort);
    wire.send('stats');
    assert.equal((await wire.json()).code, 'too_many_connections');
    assert.equal(await wire.line(), null);
  }
  using admin = await Wire.open(small.socket);
  assert.equal((await admin.ask('stats')).connections, 21);
  wires.pop()?.[Symbol.dispose]();
  await until('a place is free', async () => Number((await admin.ask('stats')).connections) <= 20);
  admin.socket.end();
  assert.equal(await admin.line(), null);
  using newcomer = await Wire.open(small.tcpPort);
  assert.equal((await newcomer.ask('stats')).ok, true);
  for (const wire of wires) wire[Symbol.dispose]();
});

test('who subscribes and never reads is cut off, and others hear their events', async () => {
  await using small = await TestDaemon.start({
    more: 'limits: { push: 1MiB }',
    pools: '  os: { runtime: command, {user} }',
  });
  await using health = await Health.watch(small.socket);
  const sleeper = await connected(small.socket);
  sleeper.write('subscribe {"id":7}\n');
  using watcher = await Wire.open(small.socket);
  assert.equal((await watcher.ask('subscribe {"id":8,"events":["exited"]}')).ok, true);
  using wire = await Wire.open(small.socket);
  await until('both have subscribed', async () => (await wire.ask('stats')).subscriptions === 2);
  const pad = 'x'.repeat(100_000);
  for (let n = 0; n < 20; n++) {
    await wire.ask(`run {"id":1,"key":"${n}","argv":["true","${pad}"]}`);
    const { event, run } = await watcher.json();
    assert.deepEqual([event, (run as { key: string }).key], ['exited', String(n)]);
  }
  await health.assertUndisturbed(SOME);
  // Now it reads: some whole lines, then why no more come, then the end.
  const heard = (await text(sleeper)).trimEnd().split('\n');
  for (const line of heard) JSON.parse(line);
  assert.equal(JSON.parse(heard.at(-1) ?? '').code, 'slow_reader');
  await until('it is forgotten', async () => (await wire.ask('stats')).subscriptions === 1);
});
