// For servers that only want to keep their connections: all of a takeover but for what a connection means.
import type { Server, Socket } from 'node:net';
import type { KeeperChannel } from './channel.ts';
import type { Estate } from './hand-over.ts';
import { pack, unpack } from './pack.ts';
import { serveOn } from './serve.ts';
import { takeUnread, unsentBytes } from './sockets.ts';
import type { Heir } from './succession.ts';

const VERSION = 1;
const NOTHING_OWED: Owed = { unread: Buffer.alloc(0), unsent: Buffer.alloc(0), ending: false };

/** What a server does about its clients. None of the calls may begin anything that a successor could not go on with. */
export interface Service<S> {
  /** What is known of a newcomer: anything that JSON holds. */
  begin(client: Client<S>): S;
  data(client: Client<S>, bytes: Buffer): void;
  /** The client sends no more; ends our side too when absent. */
  end?(client: Client<S>): void;
}

/** One connection. `state` goes over to the successor, and so does every byte that was written and has not left. */
export class Client<S> {
  readonly socket: Socket;
  state!: S;
  readonly #queue: Uint8Array[] = [];
  /** The write in flight: one at a time, so that what of it is unsent is known to the byte. */
  #flight: Uint8Array | null = null;
  #ending = false;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  write(bytes: Uint8Array | string): void {
    this.#queue.push(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
    if (this.#flight === null) this.#flush();
  }

  /** Ends our side when all has left. */
  end(): void {
    this.#ending = true;
    if (this.#flight === null) this.#flush();
  }

  get isEnding(): boolean {
    return this.#ending;
  }

  get unsent(): readonly Uint8Array[] {
    if (this.#flight === null) return [];
    return [this.#flight.subarray(this.#flight.length - unsentBytes(this.socket)), ...this.#queue];
  }

  #flush(): void {
    if (this.#queue.length === 0) {
      if (this.#ending) this.socket.end();
      return;
    }
    const bytes = Buffer.concat(this.#queue.splice(0));
    this.#flight = bytes;
    this.socket.write(bytes, (error) => {
      this.#flight = null;
      if (error == null) this.#flush();
    });
  }
}

interface Header<S> {
  readonly version: number;
  readonly clients: readonly Saved<S>[];
}

interface Owed {
  readonly unread: Buffer;
  readonly unsent: Buffer;
  readonly ending: boolean;
}

interface Saved<S> {
  readonly id: number;
  readonly state: S;
  readonly ending: boolean;
  readonly unreadBytes: number;
  readonly unsentBytes: number;
}

/**
 * The clients of a server under a keeper.
 *
 * @example
 * const keeper = connectToKeeper();
 * const clients = new Clients<number>({
 *   begin: () => 0,
 *   data: (client, bytes) => client.write(`${(client.state += bytes.length)} bytes so far\n`),
 * });
 * await clients.serve(keeper, createServer({ allowHalfOpen: true }, clients.accept), 'tcp');
 * keeper.onSignal((signal) => (signal === 'SIGHUP' ? keeper.takeover().catch(console.error) : process.exit(0)));
 */
export class Clients<S> implements Estate, Heir {
  readonly #service: Service<S>;
  readonly #clients = new Map<number, Client<S>>();
  /** What was taken over of clients that are not being served yet. */
  readonly #owed = new Map<number, Owed>();
  #lastId = 0;
  /** Chunks that come now have not been read: they are put back. */
  #peeking = false;

  constructor(service: Service<S>) {
    this.#service = service;
  }

  /** Takes over what a predecessor has, if there is one, then serves on the listener `name`. */
  serve(keeper: KeeperChannel, server: Server, name: string): Promise<void> {
    return serveOn(keeper, server, name, this, (id) => this.#activate(id));
  }

  /** For `net.createServer({ allowHalfOpen: true }, clients.accept)`. */
  readonly accept = (socket: Socket): void => {
    const id = ++this.#lastId;
    const client = this.#add(id, socket);
    client.state = this.#service.begin(client);
  };

  #add(id: number, socket: Socket): Client<S> {
    const client = new Client<S>(socket);
    this.#clients.set(id, client);
    socket.on('data', (bytes) => {
      if (!this.#peeking) this.#service.data(client, bytes);
    });
    socket.on('end', () => (this.#service.end === undefined ? client.end() : this.#service.end(client)));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#clients.delete(id));
    return client;
  }

  #activate(id: number): void {
    const client = this.#clients.get(id);
    if (client === undefined) return;
    const owed = this.#owed.get(id);
    this.#owed.delete(id);
    if (owed !== undefined && owed.unsent.length > 0) client.write(owed.unsent);
    if (owed !== undefined && owed.unread.length > 0) this.#service.data(client, owed.unread);
    if (owed?.ending === true) client.end();
    client.socket.resume();
  }

  *connections(): Iterable<[number, Socket]> {
    for (const [id, { socket }] of this.#clients) yield [id, socket];
  }

  async quiesce(): Promise<void> {}

  resume(): void {}

  state(): Uint8Array {
    const pieces: Uint8Array[] = [];
    const clients = [...this.#clients].map(([id, client]): Saved<S> => {
      const owed = this.#owed.get(id) ?? NOTHING_OWED;
      const unread = Buffer.concat([owed.unread, ...this.#peekUnread(client)]);
      const unsent = Buffer.concat([owed.unsent, ...client.unsent]);
      pieces.push(unread, unsent);
      const ending = owed.ending || client.isEnding;
      return { id, state: client.state, ending, unreadBytes: unread.length, unsentBytes: unsent.length };
    });
    return pack({ version: VERSION, clients } satisfies Header<S>, pieces);
  }

  /** What Node has read of a paused socket. It is put back: this may be a rehearsal. */
  #peekUnread({ socket }: Client<S>): Buffer[] {
    if (socket.readableLength === 0) return [];
    this.#peeking = true;
    const pieces = takeUnread(socket);
    this.#peeking = false;
    for (const piece of pieces.toReversed()) socket.unshift(piece);
    return pieces;
  }

  connection(id: number, socket: Socket): void {
    this.#add(id, socket);
  }

  gone(id: number): void {
    this.#clients.delete(id);
  }

  rehearse(state: Buffer): void {
    read<S>(state, () => undefined);
  }

  adopt(state: Buffer): void {
    const known = new Set<number>();
    read<S>(state, (saved, unread, unsent) => {
      known.add(saved.id);
      this.#lastId = Math.max(this.#lastId, saved.id);
      const client = this.#clients.get(saved.id);
      if (client === undefined) throw new Error(`connection ${saved.id} was not passed`);
      client.state = saved.state;
      this.#owed.set(saved.id, { unread, unsent, ending: saved.ending });
    });
    for (const [id, { socket }] of this.#clients) if (!known.has(id)) socket.destroy();
  }
}

function read<S>(state: Buffer, each: (saved: Saved<S>, unread: Buffer, unsent: Buffer) => void): void {
  const { header, take } = unpack<Header<S>>(state);
  if (header.version !== VERSION)
    throw new Error(`the state is of version ${header.version}, not ${VERSION}`);
  for (const saved of header.clients) each(saved, take(saved.unreadBytes), take(saved.unsentBytes));
}
