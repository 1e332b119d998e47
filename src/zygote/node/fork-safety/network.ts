import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { lookup, Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { inFolder, short, type Workload, workload } from './workload.ts';

const LOOPBACK = '127.0.0.1';

/** Sends a text to an echoing server, and what has come back. */
async function echoed(where: net.NetConnectOpts | { path: string }, sent: string): Promise<string> {
  const socket = net.connect(where as net.NetConnectOpts);
  socket.end(sent);
  return await text(socket);
}

const echoServer = (): net.Server =>
  net.createServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket));

/** Answers every question of a name server by 127.0.0.7: RFC 1035, 4.1. */
function answerTo(question: Buffer): Buffer {
  let end = 12;
  while (question[end] !== 0) end += (question[end] ?? 0) + 1;
  const asked = question.subarray(12, end + 5);
  const header = Buffer.from([...question.subarray(0, 2), 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
  const answer = Buffer.from([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 4, 0, 4, 127, 0, 0, 7]);
  return Buffer.concat([header, asked, answer]);
}

/** Sockets below HTTP, and names. */
export const network: readonly Workload[] = [
  short('a TCP server and its client', async () => {
    const server = echoServer().listen(0, LOOPBACK);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    assert.equal(await echoed({ port, host: LOOPBACK }, 'there and back'), 'there and back');
    await new Promise((resolve) => server.close(resolve));
  }),
  workload('many megabytes over many TCP connections', async () => {
    const server = echoServer().listen(0, LOOPBACK);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const sent = Array.from({ length: 16 }, (_, index) => String.fromCharCode(97 + index).repeat(1 << 19));
    const all = await Promise.all(sent.map((each) => echoed({ port, host: LOOPBACK }, each)));
    assert.deepEqual(
      all.map((each, index) => each === sent[index]),
      all.map(() => true),
    );
    server.close();
  }),
  workload('a TCP connection that is refused', async () => {
    const server = net.createServer().listen(0, LOOPBACK);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    await assert.rejects(once(net.connect(port, LOOPBACK), 'connect'), { code: 'ECONNREFUSED' });
  }),
  workload('a Unix socket', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'socket');
      const server = echoServer().listen(path);
      await once(server, 'listening');
      assert.equal(await echoed({ path }, 'there and back'), 'there and back');
      server.close();
    }),
  ),
  short('UDP', async () => {
    const server = dgram.createSocket('udp4');
    server.on('message', (message, from) => server.send(`${message}!`, from.port, from.address));
    server.bind(0, LOOPBACK);
    await once(server, 'listening');
    const client = dgram.createSocket('udp4');
    client.send('hello', server.address().port, LOOPBACK);
    const [answer] = await once(client, 'message');
    assert.equal(String(answer), 'hello!');
    client.close();
    server.close();
  }),
  short('dns.lookup', async () => {
    assert.ok(net.isIP((await lookup('localhost')).address));
    assert.ok((await lookup(LOOPBACK, { all: true })).some(({ address }) => address === LOOPBACK));
  }),
  workload('dns.resolve', async () => {
    const server = dgram.createSocket('udp4');
    server.on('message', (question, from) => server.send(answerTo(question), from.port, from.address));
    server.bind(0, LOOPBACK);
    await once(server, 'listening');
    const resolver = new Resolver({ timeout: 5_000 });
    resolver.setServers([`${LOOPBACK}:${server.address().port}`]);
    const found = await Promise.all(['a.test', 'b.test', 'c.test'].map((name) => resolver.resolve4(name)));
    assert.deepEqual(found, [['127.0.0.7'], ['127.0.0.7'], ['127.0.0.7']]);
    server.close();
  }),
];
