import assert from 'node:assert/strict';
import { chmodSync, closeSync, mkdtempSync, rmSync, statSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { boundPort, listenTcp, listenUnix, memfd, setCloseOnExec, socketpair } from '../posix/index.ts';
import { InheritedSockets, storeName } from './notify-sockets.ts';

const folder = mkdtempSync(join(tmpdir(), 'notify-'));
after(() => rmSync(folder, { recursive: true }));

const LISTEN_PID = String(process.pid);
const tcp = { name: 'tcp://127.0.0.1:0', kind: 'tcp', host: '127.0.0.1', port: 0, backlog: 1 } as const;
const unix = { name: 'unix', kind: 'unix', path: join(folder, 'x.sock'), mode: 0o600, backlog: 1 } as const;

/** As if a manager had passed this one descriptor. */
function passed(fd: number, name = '', pid = LISTEN_PID): InheritedSockets {
  return new InheritedSockets({ LISTEN_PID: pid, LISTEN_FDS: '1', LISTEN_FDNAMES: name }, process.pid, fd);
}

test('an address is recognised, whatever its name; once', () => {
  for (const host of ['127.0.0.1', '::1']) {
    const fd = listenTcp({ host, port: 0, backlog: 1 });
    const sockets = passed(fd, 'rocksyd.socket');
    const port = boundPort(fd);
    assert.equal(sockets.take({ ...tcp, host, port: port === 65_535 ? 1 : port + 1 }), null);
    assert.equal(sockets.take({ ...tcp, host: '127.0.0.2', port }), null);
    assert.equal(sockets.take({ ...tcp, host: host === '::1' ? '0:0::1' : host, port }), fd);
    assert.equal(sockets.take({ ...tcp, host, port }), null);
    closeSync(fd);
  }
});

test('a port that the kernel has chosen is recognised by the name of its listener', () => {
  const fd = listenTcp(tcp);
  assert.equal(passed(fd, 'other').take(tcp), null);
  assert.equal(storeName(tcp.name), 'tcp_//127.0.0.1_0');
  assert.equal(passed(fd, storeName(tcp.name)).take(tcp), fd);
  closeSync(fd);
});

test('a Unix socket is taken with its mode put right, and not when its file is gone', () => {
  const fd = listenUnix(unix);
  chmodSync(unix.path, 0o666);
  assert.equal(passed(fd).take({ ...unix, path: `${unix.path}.other` }), null);
  assert.equal(passed(fd).take(unix), fd);
  assert.equal(statSync(unix.path).mode & 0o777, 0o600);
  unlinkSync(unix.path);
  assert.equal(passed(fd).take(unix), null);
  closeSync(fd);
});

test('what does not listen is left, and what is left is closed by name', () => {
  const [a, b] = socketpair('stream');
  const file = memfd('x', '');
  for (const fd of [a, file]) {
    const sockets = passed(fd, 'mine');
    assert.equal(sockets.take(tcp) ?? sockets.take(unix), null);
    assert.deepEqual(sockets.closeRest(), ['mine']);
    assert.throws(() => setCloseOnExec(fd, 'close'), { code: 'EBADF' });
  }
  closeSync(b);
});

test('descriptors for another process are nobody else’s', () => {
  assert.equal(passed(0, 'x', String(process.pid + 1)).size, 0);
  assert.equal(new InheritedSockets({}).size, 0);
});
