import type { Socket } from 'node:net';
import { descriptorOf, takeUnread, unsentBytes } from '../../takeover/index.ts';
import type { Role } from '../config/index.ts';
import type { Connection, SavedConnection } from './connection.ts';

/** A connection and what carries it, by a number that both processes of a takeover know it by. */
export interface Client {
  readonly id: number;
  readonly listener: string;
  readonly connection: Connection;
  readonly socket: Socket;
}

/** All connections but for their bytes. Most are idle at any moment, and need no more than a number each. */
export interface SavedConnections {
  readonly idle: readonly IdleConnections[];
  readonly busy: readonly BusyConnection[];
}

export interface IdleConnections {
  readonly listener: string;
  readonly role: Role | null;
  readonly hasSpoken: boolean;
  readonly ids: readonly number[];
}

export type BusyConnection = SavedConnection & { readonly id: number; readonly listener: string };

/** What an idle connection is restored from, together with what the list says of it. */
export const IDLE: Omit<SavedConnection, 'role' | 'first'> = {
  tooLong: false,
  state: 'open',
  tasks: [],
  inputBytes: 0,
  outputBytes: 0,
};

/** What another process needs of these connections; behind it their bytes, in the order of `busy`. */
export function saveConnections(clients: Iterable<Client>): {
  readonly saved: SavedConnections;
  readonly pieces: readonly Buffer[];
} {
  const idle = new Map<string, IdleConnections & { ids: number[] }>();
  const busy: BusyConnection[] = [];
  const pieces: Buffer[] = [];
  for (const { id, listener, connection, socket } of clients) {
    // Closed a moment ago: the other process has to do the same.
    if (descriptorOf(socket) === null) continue;
    // A socket that is paused has been read from all the same; 'data' feeds that to its connection, which keeps it.
    if (socket.readableLength > 0) takeUnread(socket);
    if (connection.isIdle) {
      const { role, hasSpoken } = connection;
      const group = `${role} ${hasSpoken} ${listener}`;
      const alike = idle.get(group) ?? { listener, role, hasSpoken, ids: [] };
      alike.ids.push(id);
      idle.set(group, alike);
      continue;
    }
    const { saved, pieces: bytes } = connection.save(unsentBytes(socket));
    busy.push({ id, listener, ...saved });
    for (const piece of bytes) pieces.push(piece);
  }
  return { saved: { idle: [...idle.values()], busy }, pieces };
}
