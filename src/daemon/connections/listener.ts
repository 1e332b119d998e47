import net from 'node:net';
import type { Logger } from 'pino';
import type { Listen } from '../../document/index.ts';
import { getDescriptorLimit, getPeerCredentials } from '../../posix/index.ts';
import { encodeAnswer, errorFields, RocksyError } from '../../wire/index.ts';
import type { Auth, Limits, Role } from '../config/index.ts';
import { type Answerer, Connection, type Transport } from './connection.ts';
import {
  type Client,
  type Description,
  describe,
  IDLE,
  type SavedConnections,
  saveConnections,
} from './hand-over.ts';
import type { Task } from './task.ts';

export interface ListenersOptions {
  readonly auth: Auth;
  readonly limits: Limits;
  readonly answer: Answerer;
  readonly log: Logger;
}

/** As the keeper has it; Node would set its own 511. */
const BACKLOG = 4_096;
/** How long a client that was told goodbye may take to read it, and how much it may still send meanwhile. */
const LINGER_MS = 5_000;
const LINGER_BYTES = 4 << 20;
/** Clients that vanished without a word (their machine lost power) are asked after so long whether they are there. */
const KEEP_ALIVE_MS = 60_000;
/** Of the descriptors that the process may have this part, and so many at least, are for journal, logs and zygotes. */
const OWN_SHARE_OF_DESCRIPTORS = 0.1;
const OWN_DESCRIPTORS = 128;
/** Clients that were refused and may take their time to read it; others are cut off at once. */
const LINGERING_REFUSED = 16;
/** Connections over a Unix socket that admins may have when all others are taken. */
const RESERVED_FOR_ADMINS = 16;

const NOTHING = Buffer.alloc(0);

/** The daemon's listeners. The keeper has bound their sockets and keeps them; we accept on them. */
export class Listeners {
  readonly #options: ListenersOptions;
  readonly #servers: net.Server[] = [];
  readonly #clients = new Map<number, Client>();
  /** Connections of a predecessor's, which serves them. */
  readonly #passed = new Map<number, Client>();
  /** Of those that were taken over, the ones that are told of events. */
  #told: Client[] = [];
  readonly #capacity: number;
  #accepted = 0;
  #suspended = false;
  #refused = 0;

  constructor(options: ListenersOptions) {
    this.#options = options;
    const { soft } = getDescriptorLimit();
    const room = Math.floor(soft - Math.max(OWN_DESCRIPTORS, soft * OWN_SHARE_OF_DESCRIPTORS));
    this.#capacity = Math.max(1, Math.min(options.limits.connections, room));
    if (this.#capacity < options.limits.connections) {
      options.log.warn(
        { connections: this.#capacity },
        'limits.connections is more than the limit of descriptors (ulimit -n) leaves room for',
      );
    }
  }

  get connectionCount(): number {
    return this.#clients.size;
  }

  /** Accepts on a listening socket that the keeper holds. */
  async add(listen: Listen, fd: number): Promise<void> {
    const server = net.createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS },
      (socket) => this.#accept(listen, socket),
    );
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      // Node calls listen(2) again, and takes a backlog for a descriptor only in this place.
      server.listen({ fd }, BACKLOG, resolve);
    });
    server.on('error', (error) =>
      this.#options.log.error({ err: error, listener: listen.name }, 'accept failed'),
    );
    this.#servers.push(server);
  }

  #accept(listen: Listen, socket: net.Socket): void {
    const { limits, log } = this.#options;
    const id = ++this.#accepted;
    const name = nameOf(listen.name, id);
    const role = this.#roleOf(listen, socket);
    const transport = new SocketTransport(socket);
    socket.on('error', (cause) => log.debug({ connection: name, err: cause }, 'connection error'));
    if (this.#clients.size >= this.#capacity + reservedFor(listen, role)) {
      this.#refuse(socket, transport);
      return;
    }
    const { answer } = this.#options;
    const connection = new Connection({ name, role, limits, transport, answer });
    if (this.#suspended) connection.suspend();
    this.#serve({ id, listener: listen.name, connection, socket, described: null });
  }

  #serve(client: Client): void {
    const { id, connection, socket } = client;
    this.#clients.set(id, client);
    socket.on('data', (chunk) => connection.feed(chunk));
    socket.on('end', () => connection.inputEnded());
    socket.on('close', () => {
      this.#clients.delete(id);
      connection.lost();
    });
  }

  /** For a takeover: the connections by their numbers. */
  *sockets(): Iterable<[id: number, socket: net.Socket]> {
    for (const { id, socket } of this.#clients.values()) yield [id, socket];
  }

  /** No more requests are taken until `resume`, also of newcomers. */
  suspend(): void {
    this.#suspended = true;
    for (const { connection } of this.#clients.values()) connection.suspend();
  }

  resume(): void {
    this.#suspended = false;
    for (const { connection } of this.#clients.values()) connection.resume();
  }

  /** Whether everything that clients have asked for could be gone on with in another process as it is now. */
  get isReadyToGo(): boolean {
    for (const { connection } of this.#clients.values()) if (!connection.isReadyToGo) return false;
    return true;
  }

  describe(id: number): Description | null {
    const client = this.#clients.get(id);
    return client === undefined ? null : describe(client);
  }

  /** Requests in progress that can't be handed over as they are. */
  shortTasks(): Task[] {
    return [...this.#clients.values()].flatMap(({ connection }) => connection.shortTasks());
  }

  save(): ReturnType<typeof saveConnections> {
    return saveConnections(this.#clients.values());
  }

  /** A predecessor's connection, which it still serves: all is made ready for it. */
  pass(id: number, socket: net.Socket, { listener, role, first }: Description): void {
    this.#accepted = Math.max(this.#accepted, id);
    const { limits, answer, log } = this.#options;
    const transport = new SocketTransport(socket);
    const name = nameOf(listener, id);
    const connection = new Connection({ name, role, limits, transport, answer });
    connection.suspend();
    connection.restore({ ...IDLE, role, first }, NOTHING, NOTHING);
    socket.on('close', () => this.#passed.delete(id));
    socket.on('error', (cause) => log.debug({ connection: name, err: cause }, 'connection error'));
    this.#passed.set(id, { id, listener, connection, socket, described: null });
  }

  /**
   * Takes over what a predecessor has saved; nothing is read or written before `activate`.
   * Throws where a connection was not passed.
   * @param take the bytes behind the state, one piece after the other
   */
  adopt({ idle, busy }: SavedConnections, take: (length: number) => Buffer): void {
    for (const id of idle) this.#adoptOne(id);
    for (const saved of busy) {
      const client = this.#adoptOne(saved.id);
      client.connection.restore(saved, take(saved.inputBytes), take(saved.outputBytes));
      if (client.connection.isTold) this.#told.push(client);
    }
    // They ended while they were passed.
    this.forgetPassed();
  }

  #adoptOne(id: number): Client {
    const client = this.#passed.get(id);
    if (client === undefined) throw new Error(`connection ${id} was not passed by the predecessor`);
    this.#passed.delete(id);
    this.#clients.set(id, client);
    return client;
  }

  /** The predecessor has closed them, or died before it had handed over. */
  forgetPassed(): void {
    for (const { socket } of this.#passed.values()) socket.destroy();
  }

  /** Goes on with the connections that are told of events, before anything can happen that they want to hear. */
  resumeTold(): void {
    for (const { id, socket } of this.#told) this.activate(id, socket);
    this.#told = [];
  }

  /** Begins to serve a connection that was taken over. */
  activate(id: number, socket: net.Socket): void {
    const client = this.#clients.get(id);
    if (client === undefined || !client.connection.isSuspended) return;
    this.#serve(client);
    socket.resume();
    client.connection.resume();
  }

  #refuse(socket: net.Socket, transport: Transport): void {
    const message = `There are ${this.#clients.size} connections already`;
    const error = new RocksyError('too_many_connections', message);
    socket.write(encodeAnswer(undefined, { ...errorFields(error), error_text: message }));
    if (this.#refused >= LINGERING_REFUSED) {
      socket.destroy();
      return;
    }
    this.#refused++;
    socket.once('close', () => this.#refused--);
    transport.end();
  }

  #roleOf(listen: Listen, socket: net.Socket): Role | null {
    if (listen.kind === 'tcp') return this.#options.auth.kind === 'none' ? 'admin' : null;
    // The file mode has let it in; who it is, the kernel says: SO_PEERCRED, unix(7).
    const fd = (socket as unknown as { _handle: { fd: number } | null })._handle?.fd;
    if (fd === undefined || fd < 0) return 'operator';
    const { uid } = getPeerCredentials(fd);
    return uid === 0 || uid === process.getuid?.() ? 'admin' : 'operator';
  }

  /** Takes no newcomers; who is connected stays. */
  stopAccepting(): void {
    for (const server of this.#servers) server.close();
  }

  /** Ends all connections after what is owed to them, the slow ones after a while. */
  async close(): Promise<void> {
    const clients = [...this.#clients.values()];
    for (const { connection } of clients) connection.end();
    await Promise.all(
      clients.map(({ socket }) => socket.closed || new Promise((resolve) => socket.once('close', resolve))),
    );
  }
}

function nameOf(listener: string, id: number): string {
  return `${listener}#${id}`;
}

function reservedFor(listen: Listen, role: Role | null): number {
  return listen.kind === 'unix' && role === 'admin' ? RESERVED_FOR_ADMINS : 0;
}

class SocketTransport implements Transport {
  readonly #socket: net.Socket;
  #expiring = false;

  constructor(socket: net.Socket) {
    this.#socket = socket;
  }

  write(bytes: Buffer, done: () => void): void {
    this.#socket.write(bytes, (error) => error == null && done());
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  expire(): void {
    if (this.#expiring) return;
    this.#expiring = true;
    expireSocket(this.#socket);
  }

  end(): void {
    this.#socket.end();
    this.expire();
  }
}

/**
 * A half-open socket stays until both sides have ended; a client that does not end its side, or does not read ours, may
 * not keep it. What it still sends is thrown away: a socket that is closed with unread input takes back what was last
 * said (RST: RFC 1122, 4.2.2.13).
 */
function expireSocket(socket: net.Socket): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
  let left = LINGER_BYTES;
  socket.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) socket.destroy();
  });
  socket.resume();
}
