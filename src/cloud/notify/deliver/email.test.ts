import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { MailServer } from '../fixtures/mail-server.ts';
import { jobFixture, noticeFixture } from '../fixtures/notices.ts';
import { sendEmail } from './email.ts';

const MESSAGE = { id: 'msg_1', notice: noticeFixture() };
const ADDRESSES = { from: 'Rocksy <rocksy@example.com>', to: ['ann@example.com', 'bob@example.com'] };
const PASSWORD = 'p%40ss%20word';

function limits(timeoutMs = 10_000) {
  return { timeoutMs, signal: new AbortController().signal };
}

test('a mail arrives, with everything in it and an id that stays', async () => {
  await using server = await MailServer.start();
  const channel = { ...ADDRESSES, smtp: `smtp://127.0.0.1:${server.port}` };
  const result = await sendEmail(channel, MESSAGE, limits());
  assert.deepEqual([result.ok, result.status], [true, 250], result.detail);
  assert.equal((await sendEmail(channel, MESSAGE, limits())).ok, true);
  const [mail = assert.fail(), again = assert.fail()] = server.mails;
  assert.deepEqual([mail.from, mail.to, mail.user], ['rocksy@example.com', ADDRESSES.to, null]);
  for (const { content } of [mail, again]) {
    assert.match(content, /^Subject: \[Rocksy\] shop\/report failed\r$/m);
    assert.match(content, /^Message-ID: <msg_1@rocksy\.invalid>\r$/m);
    assert.match(content, /^References: <inc_shop\/report@rocksy\.invalid>\r$/m);
    assert.match(content, /^Auto-Submitted: auto-generated\r$/m);
    assert.match(content, /\r\nshop\/report: since 1970-01-01 00:00:00 UTC \(run r1\)\r\n\r\ndisk full\r\n/);
  }
});

test('a long list is cut, and a name or a cause adds no header', async () => {
  await using server = await MailServer.start();
  const jobs = Array.from({ length: 40 }, (_, i) => jobFixture(`shop/j${i}`));
  const notice = noticeFixture({
    jobs,
    more: [{ project: 'shop', count: 2 }],
    causes: ['a\r\nBcc: eve@x.org'],
  });
  await sendEmail({ ...ADDRESSES, smtp: `smtp://127.0.0.1:${server.port}` }, { id: 'm', notice }, limits());
  const strange = noticeFixture({ jobs: [jobFixture('shop/a\r\nBcc: eve@x.org')] });
  await sendEmail(
    { ...ADDRESSES, smtp: `smtp://127.0.0.1:${server.port}` },
    { id: 'n', notice: strange },
    limits(),
  );
  const [long = assert.fail(), odd = assert.fail()] = server.mails;
  assert.match(long.content, /^Subject: \[Rocksy\] 42 jobs failed\r$/m);
  assert.match(long.content, /^and 22 more\r$/m);
  for (const { to, content } of [long, odd]) {
    assert.deepEqual(to, ADDRESSES.to);
    assert.doesNotMatch(content.split('\r\n\r\n')[0] ?? '', /^Bcc/m);
  }
});

test('it logs in, and a password that is refused is in no result', async () => {
  await using server = await MailServer.start({ authOptional: false });
  const smtp = `smtp://ann:${PASSWORD}@127.0.0.1:${server.port}`;
  const result = await sendEmail({ ...ADDRESSES, smtp }, MESSAGE, limits());
  assert.equal(result.ok, true, result.detail);
  assert.equal(server.mails[0]?.user, 'ann');
  const wrong = `smtp://ann:s3cr%20et-word@127.0.0.1:${server.port}`;
  const refused = await sendEmail({ ...ADDRESSES, smtp: wrong }, MESSAGE, limits());
  assert.deepEqual([refused.ok, refused.status], [false, 535]);
  assert.match(refused.detail, /the password \*\*\* is wrong/);
});

test('a password does not go over a network in clear', async () => {
  await using server = await MailServer.start();
  // Not 127.0.0.1, and so for all that is known another machine.
  const smtp = `smtp://ann:${PASSWORD}@0.0.0.0:${server.port}`;
  const result = await sendEmail({ ...ADDRESSES, smtp }, MESSAGE, limits());
  assert.equal(result.ok, false);
  assert.match(result.detail, /STARTTLS|TLS/);
  assert.deepEqual(server.mails, []);
});

test('a certificate that nobody vouches for is refused', async () => {
  await using server = await MailServer.start({ secure: true });
  const smtp = `smtps://127.0.0.1:${server.port}`;
  const result = await sendEmail({ ...ADDRESSES, smtp }, MESSAGE, limits());
  assert.equal(result.ok, false);
  assert.match(result.detail, /certificate/);
  assert.deepEqual(server.mails, []);
});

test('when some of the receivers are refused the others have it, and it is not sent again', async () => {
  await using server = await MailServer.start({
    onRcptTo: ({ address }, _, callback) =>
      callback(address.startsWith('bob') ? new Error('no such person') : null),
  });
  const smtp = `smtp://127.0.0.1:${server.port}`;
  const result = await sendEmail({ ...ADDRESSES, smtp }, MESSAGE, limits());
  assert.equal(result.ok, true);
  assert.match(result.detail, /^not taken for 1 of 2; 250/);
  const nobody = await sendEmail({ ...ADDRESSES, to: ['bob@example.com'], smtp }, MESSAGE, limits());
  assert.deepEqual([nobody.ok, nobody.status], [false, 550]);
});

test('a server that says nothing, or is not there, is not waited for', async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const channel = { ...ADDRESSES, smtp: `smtp://127.0.0.1:${port}` };
  const late = await sendEmail(channel, MESSAGE, limits(50));
  assert.deepEqual([late.ok, late.detail], [false, 'no answer within 50 ms']);
  for (const socket of sockets) socket.destroy();
  silent.close();
  await once(silent, 'close');
  const refused = await sendEmail(channel, MESSAGE, limits());
  assert.match(refused.detail, /ECONNREFUSED/);
});
