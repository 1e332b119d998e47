import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  bootId,
  children,
  descriptors,
  flockExclusive,
  isCloseOnExec,
  memfd,
  parseFlags,
  parseStat,
  parseTcpTable,
  ppid,
  processStat,
  punchHole,
  setCloseOnExec,
  spawn,
  startTime,
  tcpSocket,
  threads,
  wait4,
} from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'posix-proc-'));
after(() => rmSync(folder, { recursive: true }));

test('a stat line is read whatever the name of the process', () => {
  const numbers = Array.from({ length: 48 }, (_, i) => i + 5).join(' ');
  assert.deepEqual(parseStat(`12 (a) b (c)) S 3 ${numbers}`), {
    pid: 12,
    name: 'a) b (c)',
    state: 'S',
    ppid: 3,
    startTime: 22,
  });
  assert.throws(() => parseStat('nonsense'));
});

test('this process has parent, start time, threads and children', () => {
  assert.equal(ppid(process.pid), process.ppid);
  assert.equal(processStat(process.pid)?.state, 'R');
  assert.ok((startTime(process.pid) ?? 0) > 0);
  const names = threads(process.pid);
  assert.ok(names.some(({ tid }) => tid === process.pid));
  assert.ok(
    names.some(({ name }) => name === 'V8Worker' || name === 'libuv-worker' || name === 'DelayedTaskSche'),
  );
  const pid = spawn({ file: 'true', argv: ['true'], env: {}, fileActions: [] });
  assert.ok(children(process.pid).includes(pid));
  wait4(pid, 'block');
});

test('a process that is gone is null or empty', () => {
  const gone = 2 ** 22 + 1; // beyond the kernel's largest pid: proc_sys_kernel(5), pid_max
  assert.deepEqual(
    [startTime(gone), ppid(gone), children(gone), threads(gone), descriptors(gone)],
    [null, null, [], [], []],
  );
});

test('descriptors have target, flags and access', () => {
  const fd = openSync(join(folder, 'log'), 'a');
  const found = descriptors('self').find((descriptor) => descriptor.fd === fd);
  assert.deepEqual(found, {
    fd,
    target: join(folder, 'log'),
    flags: found?.flags,
    access: 'write',
    socket: null,
  });
  assert.equal((found?.flags ?? 0) & 0o2002000, 0o2002000, 'O_CLOEXEC | O_APPEND');
  closeSync(fd);
  assert.equal(parseFlags('pos:\t0\nflags:\t0100002\nmnt_id:\t1\n'), 0o100002);
});

for (const host of ['127.0.0.1', '::1']) {
  test(`the peer of a TCP socket on ${host} is found by inode`, async () => {
    const server = createServer().listen(0, host);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = connect(port, host);
    await once(client, 'connect');
    const sockets = descriptors('self').flatMap(({ socket }) =>
      socket === null ? [] : [tcpSocket('self', socket)],
    );
    assert.ok(
      sockets.some(
        (s) => s?.peer?.port === port && s.peer.address === host && s.local.port === client.localPort,
      ),
    );
    assert.ok(sockets.some((s) => s?.peer === null && s.local.port === port && s.local.address === host));
    client.destroy();
    server.close();
  });
}

test('IPv4 in an IPv6 socket is shown as IPv4', () => {
  const row =
    '0: 0000000000000000FFFF00000100007F:7A69 B80D0120000000000000000001000000:0050 01 0:0 0:0 0 0 0 77 1 x';
  assert.deepEqual(parseTcpTable(`  sl  local_address\n   ${row}\n`), [
    { inode: 77, local: { address: '127.0.0.1', port: 31337 }, peer: { address: '2001:db8::1', port: 80 } },
  ]);
});

test('the boot id is the one of the kernel', () => {
  assert.match(bootId(), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});

test('a lock is exclusive until its file is closed', () => {
  const path = join(folder, 'lock');
  const [first, second] = [openSync(path, 'w'), openSync(path, 'w')];
  assert.equal(flockExclusive(first), true);
  assert.equal(flockExclusive(first), true, 'again by its holder');
  assert.equal(flockExclusive(second), false);
  closeSync(first);
  assert.equal(flockExclusive(second), true);
  closeSync(second);
  assert.throws(() => flockExclusive(second), { code: 'EBADF', syscall: 'flock' });
});

test('a punched hole frees blocks, keeps the size and reads as zeros', () => {
  const path = join(folder, 'holes');
  const fd = openSync(path, 'w+');
  writeSync(fd, Buffer.alloc(1 << 20, 'x'));
  const before = fstatSync(fd).blocks;
  punchHole(fd, 4096, 900_000);
  const { blocks, size } = fstatSync(fd);
  assert.ok(blocks < before / 2);
  assert.equal(size, 1 << 20);
  const bytes = readFileSync(path);
  assert.deepEqual([bytes[4095], bytes[4096], bytes[904_095], bytes[904_096]], [120, 0, 0, 120]);
  closeSync(fd);
});

test('close-on-exec is read and set', () => {
  const fd = openSync('/dev/null', 'r');
  assert.equal(isCloseOnExec(fd), true);
  setCloseOnExec(fd, 'inherit');
  assert.equal(isCloseOnExec(fd), false);
  setCloseOnExec(fd, 'close');
  assert.equal(isCloseOnExec(fd), true);
  closeSync(fd);
});

test('a memory file holds its content, at position 0', () => {
  const fd = memfd('stdin', 'größe');
  const buffer = Buffer.alloc(32);
  assert.equal(buffer.toString('utf8', 0, readSync(fd, buffer)), 'größe');
  assert.equal(isCloseOnExec(fd), true);
  assert.ok(descriptors('self').some(({ target }) => target === '/memfd:stdin (deleted)'));
  closeSync(fd);
});
