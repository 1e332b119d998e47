import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  boundPort,
  getPeerCredentials,
  isCloseOnExec,
  listenTcp,
  listenUnix,
  probeUnix,
  socketpair,
} from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'posix-socket-'));
after(() => rmSync(folder, { recursive: true }));

for (const host of ['127.0.0.1', '::1', '::', '::ffff:127.0.0.1']) {
  test(`a TCP socket that listens on ${host} serves through Node`, async () => {
    const fd = listenTcp({ host, port: 0, backlog: 16 });
    assert.ok(isCloseOnExec(fd));
    const port = boundPort(fd);
    const server = createServer((socket) => socket.end('hello'));
    server.listen({ fd });
    await once(server, 'listening');
    const client = connect(port, host === '::1' ? '::1' : '127.0.0.1');
    const [data] = (await once(client, 'data')) as [Buffer];
    assert.equal(data.toString(), 'hello');
    client.destroy();
    server.close();
  });
}

test('a TCP port that is taken is EADDRINUSE, and the message names it', () => {
  const fd = listenTcp({ host: '127.0.0.1', port: 0, backlog: 1 });
  const port = boundPort(fd);
  assert.throws(() => listenTcp({ host: '127.0.0.1', port, backlog: 1 }), {
    name: 'PosixError',
    code: 'EADDRINUSE',
    syscall: 'bind',
    message: `bind: Address already in use (TCP 127.0.0.1:${port})`,
  });
  closeSync(fd);
});

test('what is not an IP address is refused', () => {
  assert.throws(() => listenTcp({ host: 'localhost', port: 0, backlog: 1 }), TypeError);
});

test('a Unix socket has its mode, whatever the umask, and tells who listens', () => {
  const path = join(folder, 'mode.sock');
  const umask = process.umask();
  const fd = listenUnix({ path, mode: 0o662, backlog: 1 });
  assert.equal(process.umask(), umask);
  assert.equal(statSync(path).mode & 0o777, 0o662);
  assert.deepEqual(probeUnix(path), { state: 'live', pid: process.pid });
  assert.equal(probeUnix(path).state, 'live');
  assert.deepEqual(probeUnix(path), { state: 'live', pid: null }, 'a full accept queue is still alive');
  closeSync(fd);
  assert.deepEqual(probeUnix(path), { state: 'stale' });
  assert.throws(() => listenUnix({ path, mode: 0o600, backlog: 1 }), { code: 'EADDRINUSE' });
});

test('a path that does not exist is absent, a plain file stale', () => {
  assert.deepEqual(probeUnix(join(folder, 'none.sock')), { state: 'absent' });
  writeFileSync(join(folder, 'plain'), '');
  assert.deepEqual(probeUnix(join(folder, 'plain')), { state: 'stale' });
});

test('a path beyond 107 bytes is bound and probed through its folder', () => {
  const deep = join(folder, 'd'.repeat(100), 'e'.repeat(100));
  mkdirSync(deep, { recursive: true });
  const path = join(deep, 's.sock');
  const fd = listenUnix({ path, mode: 0o600, backlog: 1 });
  assert.ok(statSync(path).isSocket());
  assert.deepEqual(probeUnix(path), { state: 'live', pid: process.pid });
  closeSync(fd);
  assert.throws(() => listenUnix({ path: join(deep, 'f'.repeat(200)), mode: 0o600, backlog: 1 }), TypeError);
});

test('a socket pair is connected, close-on-exec, and knows its peer', () => {
  const [a, b] = socketpair('seqpacket');
  writeSync(a, 'one');
  writeSync(a, 'two');
  const buffer = Buffer.alloc(16);
  assert.equal(buffer.toString('utf8', 0, readSync(b, buffer)), 'one');
  assert.ok(isCloseOnExec(a) && isCloseOnExec(b));
  assert.deepEqual(getPeerCredentials(a), {
    pid: process.pid,
    uid: process.getuid?.(),
    gid: process.getgid?.(),
  });
  closeSync(a);
  closeSync(b);
});
