import assert from 'node:assert/strict';
import { closeSync, fstatSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { bindDatagram, isPosixError, memfd, receiveDescriptors, sendDatagram } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'datagram-'));
after(() => rmSync(folder, { recursive: true }));

for (const address of [join(folder, 'socket'), `@rocksy-datagram-test-${process.pid}`]) {
  test(`a message with descriptors arrives at ${address[0] === '@' ? 'an abstract name' : 'a path'}`, () => {
    const receiver = bindDatagram(address);
    const file = memfd('sent', '');
    assert.equal(sendDatagram(address, Buffer.from('one\n'), [file]), true);
    assert.equal(sendDatagram(address, Buffer.from('two\n')), true);
    const first = receiveDescriptors(receiver);
    assert.equal(first?.data.toString(), 'one\n');
    assert.deepEqual(
      first?.fds.map((fd) => fstatSync(fd).ino),
      [fstatSync(file).ino],
    );
    assert.deepEqual(receiveDescriptors(receiver), { data: Buffer.from('two\n'), fds: [] });
    for (const fd of [receiver, file, ...(first?.fds ?? [])]) closeSync(fd);
    assert.throws(
      () => sendDatagram(address, Buffer.from('x')),
      (error) => isPosixError(error, 'ECONNREFUSED'),
    );
  });
}

test('a full queue is no error, and an address that can be none is', () => {
  const address = `@rocksy-datagram-full-${process.pid}`;
  const receiver = bindDatagram(address);
  let sent = 0;
  while (sendDatagram(address, Buffer.from('x'))) sent++;
  assert.ok(sent > 0);
  closeSync(receiver);
  for (const wrong of ['relative', '', '@', `/${'x'.repeat(108)}`, '/a\0b', 'vsock:2:1']) {
    assert.throws(() => sendDatagram(wrong, Buffer.from('x')), TypeError);
  }
});
