import assert from 'node:assert/strict';
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import {
  getDescriptorLimit,
  isCloseOnExec,
  isPosixError,
  isReadable,
  MAX_DESCRIPTORS,
  memfd,
  ReadySet,
  receiveDescriptors,
  sendDescriptors,
  setDescriptorLimit,
  socketpair,
} from './index.ts';

function withPair(use: (a: number, b: number) => void): void {
  const [a, b] = socketpair('seqpacket');
  try {
    use(a, b);
  } finally {
    for (const fd of [a, b]) {
      try {
        closeSync(fd);
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, 'EBADF'); // the test has closed it
      }
    }
  }
}

test('descriptors arrive as others for the same open file, close-on-exec', () => {
  withPair((a, b) => {
    const file = memfd('sent', 'content');
    assert.equal(sendDescriptors(a, Buffer.from('take this'), [file, file]), true);
    const received = receiveDescriptors(b);
    assert.equal(received?.data.toString(), 'take this');
    assert.equal(received?.fds.length, 2);
    for (const fd of received?.fds ?? []) {
      assert.notEqual(fd, file);
      assert.equal(fstatSync(fd).ino, fstatSync(file).ino);
      assert.equal(isCloseOnExec(fd), true);
      assert.equal(readFileSync(`/proc/self/fd/${fd}`, 'utf8'), 'content');
      closeSync(fd);
    }
    closeSync(file);
  });
});

test('messages stay apart, and as many descriptors fit as are promised', () => {
  withPair((a, b) => {
    const file = openSync('/dev/null', 'r');
    const many = Array<number>(MAX_DESCRIPTORS).fill(file);
    sendDescriptors(a, Buffer.from('many'), many);
    sendDescriptors(a, Buffer.from('none'), []);
    const first = receiveDescriptors(b);
    assert.equal(first?.fds.length, MAX_DESCRIPTORS);
    for (const fd of first?.fds ?? []) closeSync(fd);
    assert.deepEqual(receiveDescriptors(b), { data: Buffer.from('none'), fds: [] });
    assert.throws(() => sendDescriptors(a, Buffer.from('x'), [...many, file]), RangeError);
    closeSync(file);
  });
});

test('a full socket is no error, a lost peer is the end', () => {
  withPair((a, b) => {
    const piece = Buffer.alloc(32_768);
    let sent = 0;
    while (sendDescriptors(a, piece, [])) sent++;
    assert.ok(sent > 0 && sent < 1000);
    closeSync(b);
    assert.throws(
      () => sendDescriptors(a, piece, []),
      (error) => isPosixError(error, 'EPIPE', 'ECONNRESET'),
    );
  });
  withPair((a, b) => {
    closeSync(a);
    assert.equal(receiveDescriptors(b), null);
  });
});

test('descriptors that find no room are an error that says so, and leave none behind', () => {
  withPair((a, b) => {
    const file = openSync('/dev/null', 'r');
    sendDescriptors(a, Buffer.from('x'), [file, file, file]);
    const limit = getDescriptorLimit();
    const open = (): string[] => readdirSync('/proc/self/fd');
    const before = open().length;
    const highest = Math.max(...open().map(Number));
    // Room for one at most: what lies below the limit is taken but for a hole or two.
    setDescriptorLimit({ ...limit, soft: highest + 1 });
    try {
      const holes = Array.from({ length: highest }, (_, fd) => fd).filter(
        (fd) => !open().includes(String(fd)),
      );
      const filled = holes.slice(1).map(() => openSync('/dev/null', 'r'));
      assert.throws(
        () => receiveDescriptors(b),
        (error) => isPosixError(error, 'EMFILE'),
      );
      for (const fd of filled) closeSync(fd);
    } finally {
      setDescriptorLimit(limit);
    }
    assert.equal(open().length, before);
    closeSync(file);
  });
});

test('waiting ends by a message, by the end of the other side, or by the time', () => {
  withPair((a, b) => {
    assert.equal(isReadable(b, 0), false);
    const began = performance.now();
    assert.equal(isReadable(b, 20), false);
    assert.ok(performance.now() - began >= 19);
    sendDescriptors(a, Buffer.from('x'), []);
    assert.equal(isReadable(b, -1), true);
    receiveDescriptors(b);
    closeSync(a);
    assert.equal(isReadable(b, -1), true);
  });
});

test('a ready set tells of each once, by its number', () => {
  withPair((a, b) => {
    const set = new ReadySet();
    set.add(a, 7);
    set.add(b, 2 ** 40);
    assert.deepEqual(set.take(), []);
    sendDescriptors(a, Buffer.from('x'), []);
    assert.deepEqual(set.take(), [2 ** 40]);
    assert.deepEqual(set.take(), []);
    closeSync(b);
    assert.deepEqual(set.take(), [7]);
    set.close();
  });
});

test('a ready set tells of thousands at once', () => {
  const set = new ReadySet();
  const pairs = Array.from({ length: 2500 }, () => socketpair('stream'));
  pairs.forEach(([a, b], i) => {
    set.add(a, i);
    writeSync(b, 'x');
  });
  assert.deepEqual(
    set.take().sort((x, y) => x - y),
    pairs.map((_, i) => i),
  );
  for (const fd of pairs.flat()) closeSync(fd);
  set.close();
});
