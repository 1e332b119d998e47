import net from 'node:net';
import { socketpair } from '../posix/index.ts';
import { adoptSocket } from '../takeover/index.ts';
import type { Listeners } from './connections/index.ts';

const CONNECTIONS = 20;
const ROUNDS = 40;
/** They change nothing, and go the way that most requests go. The run is looked up in the journal and not found. */
const REQUESTS = 'hello {"id":1}\nstatus {"id":2,"key":"-"}\n';
const ANSWERS = 2;

/**
 * Serves some connections of its own before there are others, so that what a takeover's clients wait for is compiled by
 * then. The numbers of these connections are below all real ones.
 */
export async function warmUp(listeners: Listeners): Promise<void> {
  const clients = Array.from({ length: CONNECTIONS }, (_, i) => {
    const [ours, theirs] = socketpair('stream');
    const socket = adoptSocket(ours);
    listeners.pass(-1 - i, socket, { listener: 'warm-up', role: 'viewer', first: true });
    return { id: -1 - i, socket, client: new net.Socket({ fd: theirs }) };
  });
  listeners.adopt({ idle: clients.map(({ id }) => id), busy: [] }, () => Buffer.alloc(0));
  for (const { id, socket } of clients) listeners.activate(id, socket);
  await Promise.all(clients.map(({ client }) => converse(client)));
  await Promise.all(clients.map(({ socket }) => new Promise((resolve) => socket.once('close', resolve))));
}

async function converse(client: net.Socket): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    client.write(REQUESTS);
    for (let lines = 0; lines < ANSWERS; ) lines += countLines(await nextChunk(client));
  }
  client.destroy();
}

function nextChunk(client: net.Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.once('data', resolve);
    client.once('error', reject);
  }).finally(() => client.removeAllListeners('error')) as Promise<Buffer>;
}

function countLines(bytes: Buffer): number {
  return bytes.toString().split('\n').length - 1;
}
