// The first moments of a successor: who is waiting is served first, and nobody waits for all the others.

import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { readableOf } from '../posix/index.ts';
import { descriptorOf } from './sockets.ts';

const SLICE_MS = 1;

/**
 * Begins to serve connections that were taken over: `begin` is called once for each that is still open. Those whose clients
 * have sent something come first; the rest in slices of 1 ms, between which the event loop turns and who has sent
 * something meanwhile is moved ahead. Resolves when all have begun.
 */
export async function activate(
  connections: ReadonlyMap<number, Socket>,
  begin: (id: number, socket: Socket) => void,
): Promise<void> {
  const waiting = new Map(connections);
  const beginOne = (id: number, socket: Socket): void => {
    waiting.delete(id);
    if (descriptorOf(socket) !== null) begin(id, socket);
  };
  while (waiting.size > 0) {
    for (const [id, socket] of readable(waiting)) beginOne(id, socket);
    const until = performance.now() + SLICE_MS;
    for (const [id, socket] of waiting) {
      if (performance.now() > until) break;
      beginOne(id, socket);
    }
    await nextTurn();
  }
}

function readable(waiting: ReadonlyMap<number, Socket>): [number, Socket][] {
  const open = [...waiting].filter(([, socket]) => descriptorOf(socket) !== null);
  const ready = readableOf(open.map(([, socket]) => descriptorOf(socket) as number));
  return open.filter((_, i) => ready[i]);
}
