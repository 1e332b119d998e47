import assert from 'node:assert/strict';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import pino from 'pino';
import { boundPort, getDescriptorLimit, listenTcp, setDescriptorLimit } from '../../posix/index.ts';
import type { Limits } from '../config/index.ts';
import { LIMITS } from './fixtures/bench.ts';
import { Listeners } from './listener.ts';

/** Listeners with one TCP listener, which answer everything with `{"ok":true}`. */
async function listening(
  t: TestContext,
  limits: Partial<Limits>,
): Promise<{ listeners: Listeners; open: () => Promise<net.Socket> }> {
  const listeners = new Listeners({
    auth: { kind: 'none' },
    limits: { ...LIMITS, ...limits },
    answer: async () => ({ ok: true }),
    log: pino({ level: 'silent' }),
  });
  const fd = listenTcp({ host: '127.0.0.1', port: 0, backlog: 100 });
  const port = boundPort(fd);
  await listeners.add({ name: 'tcp', kind: 'tcp', host: '127.0.0.1', port }, fd);
  const sockets: net.Socket[] = [];
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    listeners.stopAccepting();
    await listeners.close();
  });
  const open = async (): Promise<net.Socket> => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    sockets.push(socket.on('error', () => undefined));
    await new Promise((resolve) => socket.once('connect', resolve));
    return socket;
  };
  return { listeners, open };
}

/** Whether the daemon answers; it is told at once if there are too many connections. */
async function isServed(socket: net.Socket): Promise<boolean> {
  socket.write('stats\n');
  const [chunk] = await new Promise<[Buffer]>((resolve) => socket.once('data', (...data) => resolve(data)));
  return chunk.toString() === '{"ok":true}\n';
}

test('clients beyond the limit are told so, however many come, and however long they stay', async (t) => {
  const { listeners, open } = await listening(t, { connections: 5 });
  for (let n = 0; n < 5; n++) assert.equal(await isServed(await open()), true);
  for (let n = 0; n < 50; n++) assert.equal(await isServed(await open()), false);
  assert.equal(listeners.connectionCount, 5);
});

test('with few descriptors there are fewer connections, so that some are left for the daemon itself', async (t) => {
  const before = getDescriptorLimit();
  setDescriptorLimit({ ...before, soft: 140 });
  t.after(() => setDescriptorLimit(before));
  const { open } = await listening(t, { connections: 1_000 });
  setDescriptorLimit(before);
  for (let n = 0; n < 12; n++) assert.equal(await isServed(await open()), true);
  assert.equal(await isServed(await open()), false);
});

test('at the end every connection is closed', async (t) => {
  const { listeners, open } = await listening(t, {});
  const sockets = [await open(), await open()];
  for (const socket of sockets) assert.equal(await isServed(socket), true);
  const ends = sockets.map((socket) => text(socket));
  listeners.stopAccepting();
  await listeners.close();
  assert.deepEqual(await Promise.all(ends), ['', '']);
  assert.equal(listeners.connectionCount, 0);
});
