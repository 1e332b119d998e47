import net from 'node:net';
import type { Logger } from 'pino';
import { getPeerCredentials } from '../../posix/index.ts';
import { encodeAnswer, errorFields, RocksyError } from '../../wire/index.ts';
import type { Auth, Limits, Listen, Role } from '../config/index.ts';
import { type Answerer, Connection, type Transport } from './connection.ts';

export interface ListenersOptions {
  readonly auth: Auth;
  readonly limits: Limits;
  readonly answer: Answerer;
  readonly log: Logger;
}

/** As the keeper has it; Node would set its own 511. */
const BACKLOG = 4_096;
/** How long a client that was told goodbye may take to read it. */
const LINGER_MS = 5_000;

/** The daemon's listeners. The keeper has bound their sockets and keeps them; we accept on them. */
export class Listeners {
  readonly #options: ListenersOptions;
  readonly #servers: net.Server[] = [];
  readonly #connections = new Map<Connection, net.Socket>();
  #accepted = 0;

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Accepts on a listening socket that the keeper holds. */
  async add(listen: Listen, fd: number): Promise<void> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#accept(listen, socket),
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
    const name = `${listen.name}#${++this.#accepted}`;
    if (this.#connections.size >= limits.connections) {
      const error = new RocksyError(
        'too_many_connections',
        `There are ${limits.connections} connections already`,
      );
      socket.on('error', (cause) => log.debug({ connection: name, err: cause }, 'connection error'));
      socket.end(encodeAnswer(undefined, { ...errorFields(error), error_text: error.message }), () =>
        socket.destroy(),
      );
      return;
    }
    const connection = new Connection({
      name,
      role: this.#roleOf(listen, socket),
      limits,
      transport: transportOf(socket),
      answer: this.#options.answer,
    });
    this.#connections.set(connection, socket);
    socket.on('data', (chunk) => connection.feed(chunk));
    socket.on('end', () => connection.inputEnded());
    socket.on('error', (cause) => log.debug({ connection: name, err: cause }, 'connection error'));
    socket.on('close', () => {
      this.#connections.delete(connection);
      connection.lost();
    });
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
    const sockets = [...this.#connections.values()];
    for (const connection of this.#connections.keys()) connection.end();
    const timer = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, LINGER_MS);
    await Promise.all(
      sockets.map((socket) => socket.closed || new Promise((resolve) => socket.once('close', resolve))),
    );
    clearTimeout(timer);
  }
}

function transportOf(socket: net.Socket): Transport {
  return {
    write: (bytes, done) => socket.write(bytes, (error) => error == null && done()),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    end: () => {
      // A half-open socket stays until both sides have ended; a client that never ends its side may not keep it.
      if (!socket.writableEnded) socket.end(() => socket.setTimeout(LINGER_MS, () => socket.destroy()));
      socket.resume();
    },
    destroy: () => socket.destroy(),
  };
}
