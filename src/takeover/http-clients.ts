// For HTTP servers: connections between two requests go over, requests that have begun are answered before.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Server } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { KeeperChannel } from './channel.ts';
import type { Estate } from './hand-over.ts';
import { HttpConnection, idleParsers } from './http-connection.ts';
import { pack, unpack } from './pack.ts';
import { serveOn } from './serve.ts';
import type { Heir } from './succession.ts';

const VERSION = 1;
/** What no event tells of (a body that came to its end, a connection that closed) is noticed after so long. */
const LOOK_MS = 5;
/** Documented by Node, for all of its HTTP servers: a request's head was read; a response has left. */
const CHANNELS = ['http.server.request.start', 'http.server.response.finish'] as const;

export interface HttpClientsOptions {
  /** How long a takeover waits for requests in progress. When they take longer it is refused. Default: 5000. */
  readonly quiesceMs?: number;
  /**
   * Called when no request begins any more: ends what does not end by itself, as event streams and WebSockets. With it
   * upgraded connections are waited for as requests are; without it they have a takeover refused at once.
   */
  readonly quiescing?: () => void;
}

interface Header {
  readonly version: number;
  readonly connections: readonly Saved[];
}

interface Saved {
  readonly id: number;
  /** It is kept alive after a request, rather than waiting for its first one. */
  readonly keptAlive: boolean;
}

/**
 * The connections of an HTTP server under a keeper; to be made before the server listens. A request is in progress from
 * its first byte that was read until its response has left.
 *
 * @example
 * const keeper = connectToKeeper();
 * const server = createServer((_, response) => response.end('hello\n'));
 * const clients = new HttpClients(server);
 * keeper.onSignal((signal) => (signal === 'SIGHUP' ? keeper.takeover().catch(console.error) : process.exit(0)));
 * await clients.serve(keeper, 'tcp');
 */
export class HttpClients implements Estate, Heir {
  readonly #server: Server;
  readonly #quiesceMs: number;
  readonly #onQuiescing: (() => void) | undefined;
  readonly #connections = new Map<number, HttpConnection>();
  readonly #adopted = new WeakSet<Socket>();
  #lastId = 0;
  #quiescing = false;
  /** Ends the wait of a `quiesce` that has something to look at. */
  #wake = (): void => undefined;

  constructor(server: Server, { quiesceMs = 5000, quiescing }: HttpClientsOptions = {}) {
    if (!(server instanceof Server)) throw new Error('HttpClients is for servers of node:http only');
    this.#server = server;
    this.#quiesceMs = quiesceMs;
    this.#onQuiescing = quiescing;
    server.on('connection', (socket: Socket) => {
      if (!this.#adopted.has(socket)) this.#add(++this.#lastId, new HttpConnection(socket, 'accepted'));
      this.#wake();
    });
  }

  /** Takes over what a predecessor has, if there is one, then serves on the listener `name`. */
  serve(keeper: KeeperChannel, name: string): Promise<void> {
    return serveOn(keeper, this.#server, name, this, (id) => this.#connections.get(id)?.begin(this.#server));
  }

  #add(id: number, connection: HttpConnection): void {
    this.#connections.set(id, connection);
    connection.socket.once('close', () => {
      this.#connections.delete(id);
      this.#wake();
    });
  }

  *connections(): Iterable<[number, Socket]> {
    for (const [id, { socket }] of this.#connections) yield [id, socket];
  }

  /** Stops reading wherever a request might begin, and resolves when none is in progress any more. */
  async quiesce(signal: AbortSignal): Promise<void> {
    const until = performance.now() + this.#quiesceMs;
    this.#quiescing = true;
    for (const channel of CHANNELS) subscribe(channel, this.#onMessage);
    let busy = this.#settle();
    this.#onQuiescing?.();
    for (; busy > 0; busy = this.#settle()) {
      const isLate = performance.now() > until;
      if (isLate || this.#onQuiescing === undefined) this.#refuseForeign();
      if (isLate)
        throw new Error(`requests are still in progress on ${connections(busy)} after ${this.#quiesceMs} ms`);
      await this.#change();
      signal.throwIfAborted();
    }
  }

  /** @returns on how many connections something is in progress */
  #settle(): number {
    const idle = idleParsers(this.#server);
    return [...this.#connections.values()].filter((connection) => !connection.settle(idle)).length;
  }

  /** They are no HTTP any more, and what they mean is not known here. What is no plain socket can't be passed. */
  #refuseForeign(): void {
    const foreign = [...this.#connections.values()].filter((connection) => connection.isForeign).length;
    if (foreign > 0)
      throw new Error(
        `${connections(foreign)} can't go over: upgraded (WebSocket, CONNECT), or no plain socket`,
      );
  }

  /** Something may have changed. It is told at the end of this turn: no connection is read from twice in one. */
  async #change(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, LOOK_MS);
    await promise;
    clearTimeout(timer);
    await nextTurn();
  }

  readonly #onMessage = (message: unknown): void => {
    if ((message as { readonly server: Server }).server === this.#server) this.#wake();
  };

  resume(): void {
    if (!this.#quiescing) return;
    this.#quiescing = false;
    for (const channel of CHANNELS) unsubscribe(channel, this.#onMessage);
    for (const connection of this.#connections.values()) connection.release();
  }

  state(): Uint8Array {
    const connections = [...this.#connections].map(
      ([id, connection]): Saved => ({ id, keptAlive: connection.isKeptAlive }),
    );
    return pack({ version: VERSION, connections } satisfies Header, []);
  }

  connection(id: number, socket: Socket): void {
    this.#adopted.add(socket);
    this.#add(id, new HttpConnection(socket, 'taken over'));
  }

  gone(id: number): void {
    this.#connections.delete(id);
  }

  rehearse(state: Buffer): void {
    read(state);
  }

  adopt(state: Buffer): void {
    const known = new Set<number>();
    for (const { id, keptAlive } of read(state)) {
      const connection = this.#connections.get(id);
      if (connection === undefined) throw new Error(`connection ${id} was not passed`);
      connection.wasKeptAlive = keptAlive;
      known.add(id);
      this.#lastId = Math.max(this.#lastId, id);
    }
    for (const [id, { socket }] of this.#connections) if (!known.has(id)) socket.destroy();
  }
}

const connections = (count: number): string => `${count} connection${count === 1 ? '' : 's'}`;

function read(state: Buffer): readonly Saved[] {
  const { header } = unpack<Header>(state);
  if (header.version !== VERSION)
    throw new Error(`the state is of version ${header.version}, not ${VERSION}`);
  return header.connections;
}
