import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { WebSocketServer } from 'ws';
import type { RunView } from '../../wire/index.ts';
import type { Dispatcher, HostSlot } from '../dispatch/index.ts';
import { type HostFacts, type HostId, type Store, StoreError } from '../store/index.ts';
import { type Fields, HostConnection } from './connection.ts';

const PROTOCOL = 'rocksy-host.1';
/** A line of a run with its parameters and its result. */
const MAX_MESSAGE_BYTES = 64 << 20;
const PAGE = 500;

export interface HubOptions {
  readonly store: Store;
  readonly dispatcher: Dispatcher;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** Something of a host has changed: for streams of events. */
  readonly changed: (slot: HostSlot) => void;
}

/** What a host says of itself, with its incarnation confirmed. */
interface Description {
  readonly name: string;
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly capacity: number;
  readonly pools: HostFacts['pools'];
}

/** All hosts' links. */
export class HostHub {
  readonly #options: HubOptions;
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
  });
  readonly #connections = new Map<string, HostConnection>();
  #isClosing = false;

  constructor(options: HubOptions) {
    this.#options = options;
  }

  /** The hosts that there are, before any of them has connected. */
  async load(): Promise<void> {
    const { store, dispatcher } = this.#options;
    for (const record of await store.hosts.list()) {
      const slot = dispatcher.hosts.slot(record.id, record.name);
      slot.labels = record.labels;
      slot.capacity = record.capacity;
      slot.pools = new Set(record.facts?.pools.map(({ name }) => name));
      slot.cordoned = record.cordonedMs !== null;
      slot.draining = record.drainingMs !== null;
    }
  }

  connection(id: string): HostConnection | undefined {
    return this.#connections.get(id);
  }

  /** Makes a host of who has a join token. Throws StoreError `join_refused`. */
  async join(request: {
    readonly token: string;
    readonly name: string;
    readonly credentialHash: string;
  }): Promise<HostId> {
    const { store, dispatcher, nowMs } = this.#options;
    const { token, name, credentialHash } = request;
    const hostId = randomUUID() as HostId;
    const id = await store.hosts.enrol({
      tokenHash: digestOf(token).toString('hex'),
      hostId,
      name,
      credentialHash,
      nowMs: nowMs(),
    });
    dispatcher.hosts.slot(id, name);
    return id;
  }

  /** The `upgrade` of an HTTP server, for the link's path. Never throws. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    try {
      const host = await this.#admit(request);
      if (this.#isClosing) throw new Refusal(503, 'stopping', 'the cloud stops');
      this.#server.handleUpgrade(request, socket, head, (webSocket) => {
        void this.#serve(host, new HostConnection(webSocket));
      });
    } catch (error) {
      const refusal = asRefusal(error);
      if (refusal.status === 500) this.#options.log.error({ err: error }, 'a host could not be admitted');
      refuse(socket, refusal);
    }
  }

  async #admit(request: IncomingMessage): Promise<{ readonly id: HostId; readonly incarnation: number }> {
    const { store } = this.#options;
    const [, id = '', secret = ''] = /^Bearer ([^.]+)\.(.+)$/.exec(request.headers.authorization ?? '') ?? [];
    const host = await store.hosts.get(id as HostId);
    const digest = digestOf(secret);
    const expected = Buffer.from(host?.credentialHash ?? '', 'hex');
    if (host === null || expected.length !== digest.length || !timingSafeEqual(expected, digest))
      throw new Refusal(401, 'unauthorized', 'the credential of this host is not known here');
    const shown = Number(request.headers['x-rocksy-incarnation'] ?? 0);
    return { id: host.id, incarnation: await store.hosts.enter(host.id, shown) };
  }

  async #serve(
    host: { readonly id: HostId; readonly incarnation: number },
    connection: HostConnection,
  ): Promise<void> {
    const { dispatcher, log } = this.#options;
    // Whatever was there before is of an older incarnation.
    this.#connections.get(host.id)?.close(4000, 'replaced by a newer connection');
    this.#connections.set(host.id, connection);
    const link = {
      request: async (name: string, fields: object) =>
        (await connection.request(name, fields)) as { readonly run?: RunView },
    };
    let slot: HostSlot | null = null;
    try {
      slot = await this.#greet(host, connection);
      const { name } = slot;
      const present = slot;
      await connection.stream('subscribe', { events: ['started', 'exited'] }, (fields) => {
        if (fields.run !== undefined) dispatcher.hostReports(present, fields.run as RunView);
      }).answer;
      const reports = await listAll(connection);
      if (this.#connections.get(host.id) !== connection) return;
      dispatcher.hostConnected(slot, link, reports);
      log.info({ host: name, runs: reports.length }, 'a host is connected');
      this.#options.changed(slot);
    } catch (error) {
      log.warn({ host: host.id, err: error }, 'a host is not as it should be');
      connection.close(4002, 'not understood');
    }
    await connection.closed;
    if (this.#connections.get(host.id) === connection) this.#connections.delete(host.id);
    if (slot === null) return;
    dispatcher.hostGone(slot, link);
    log.warn({ host: slot.name }, 'a host has gone');
    this.#options.changed(slot);
  }

  async #greet(
    { id, incarnation }: { readonly id: HostId; readonly incarnation: number },
    connection: HostConnection,
  ): Promise<HostSlot> {
    const { store, dispatcher, nowMs } = this.#options;
    const told = (await connection.request('host', { incarnation })) as Fields & Description;
    const facts = { version: told.version, pools: told.pools };
    const { labels, capacity } = told;
    await store.hosts.describe(id, { incarnation, labels, capacity, facts, nowMs: nowMs() });
    const record = await store.hosts.get(id);
    if (record === null) throw new Error('the host was removed meanwhile');
    const slot = dispatcher.hosts.slot(id, record.name);
    slot.labels = told.labels;
    slot.capacity = told.capacity;
    slot.pools = new Set(told.pools.map(({ name }) => name));
    slot.cordoned = record.cordonedMs !== null;
    slot.draining = record.drainingMs !== null;
    return slot;
  }

  /** Its credential is worth nothing any more. */
  async remove(id: HostId): Promise<void> {
    await this.#options.store.hosts.remove(id);
    this.#options.dispatcher.hosts.remove(id);
    this.#connections.get(id)?.close(4001, 'removed');
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    const all = [...this.#connections.values()];
    for (const connection of all) connection.close(1001, 'the cloud stops');
    await Promise.all(all.map(({ closed }) => closed));
  }
}

/** Every run that the host has of ours. */
async function listAll(connection: HostConnection): Promise<RunView[]> {
  const runs: RunView[] = [];
  for (let before: unknown; before !== null; ) {
    const cursor = before === undefined ? {} : { before };
    const { runs: page, next } = await connection.request('list', { limit: PAGE, ...cursor });
    runs.push(...(page as RunView[]));
    before = next ?? null;
  }
  return runs;
}

class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string | undefined;

  constructor(status: number, code: string, message: string, hint?: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof StoreError && error.code === 'stale_host')
    return new Refusal(409, error.code, error.message, error.hint);
  return new Refusal(500, 'internal', 'the cloud failed; its log has more');
}

function refuse(socket: Duplex, { status, code, message, hint }: Refusal): void {
  const body = JSON.stringify({ type: 'about:blank', title: message, status, code, detail: hint ?? message });
  socket.end(
    `HTTP/1.1 ${status} ${code}\r\nconnection: close\r\ncontent-type: application/problem+json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
