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
  /** What the successor knows of it, in the takeover that is under way. */
  described: Description | null;
}

/** What is said of a connection together with its socket: all there is to know of it while it is idle. */
export interface Description {
  readonly listener: string;
  readonly role: Role | null;
  readonly first: boolean;
}

/** All connections but for their bytes. Most are idle at any moment, and as they were described: numbers are enough. */
export interface SavedConnections {
  readonly idle: readonly number[];
  readonly busy: readonly BusyConnection[];
}

export type BusyConnection = SavedConnection & { readonly id: number };

export function describe(client: Client): Description {
  const { listener, connection } = client;
  client.described = { listener, role: connection.role, first: !connection.hasSpoken };
  return client.described;
}

/** What another process needs of these connections; behind it their bytes, in the order of `busy`. */
export function saveConnections(clients: Iterable<Client>): {
  readonly saved: SavedConnections;
  readonly pieces: readonly Buffer[];
} {
  const idle: number[] = [];
  const busy: BusyConnection[] = [];
  const pieces: Buffer[] = [];
  for (const client of clients) {
    const { id, connection, socket } = client;
    // Closed a moment ago: the other process has to do the same.
    if (descriptorOf(socket) === null) continue;
    // A socket that is paused has been read from all the same; 'data' feeds that to its connection, which keeps it.
    if (socket.readableLength > 0) takeUnread(socket);
    if (isAsDescribed(client)) {
      idle.push(id);
      continue;
    }
    const { saved, pieces: bytes } = connection.save(unsentBytes(socket));
    busy.push({ id, ...saved });
    for (const piece of bytes) pieces.push(piece);
  }
  return { saved: { idle, busy }, pieces };
}

/** What an idle connection is restored from, together with what was said of it. */
export const IDLE: Omit<SavedConnection, 'role' | 'first'> = {
  tooLong: false,
  state: 'open',
  tasks: [],
  inputBytes: 0,
  outputBytes: 0,
};

function isAsDescribed({ connection, described }: Client): boolean {
  return (
    described !== null &&
    connection.isIdle &&
    connection.role === described.role &&
    connection.hasSpoken === !described.first
  );
}
