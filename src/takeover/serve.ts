// What Clients and HttpClients have in common: the order of things in a worker that only serves connections.
import { once } from 'node:events';
import type { Server, Socket } from 'node:net';
import type { KeeperChannel } from './channel.ts';
import type { Estate } from './hand-over.ts';
import type { Heir } from './succession.ts';

/** Takes over what a predecessor has, if there is one, serves on the listener `name`, then begins each connection of before. */
export async function serveOn(
  keeper: KeeperChannel,
  server: Server,
  name: string,
  application: Estate & Heir,
  begin: (id: number, socket: Socket) => void,
): Promise<void> {
  keeper.bequeath(application);
  const succession = keeper.isSuccessor ? await keeper.succeed(application) : null;
  const listening = once(server, 'listening');
  keeper.listen(server, name);
  await listening;
  keeper.ready();
  await succession?.activate(begin);
}
