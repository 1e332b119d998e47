// One connection of an HTTP server: is a request in progress on it, and how it waits until that is decided.
import type { Server } from 'node:http';
import { Socket } from 'node:net';

/** Node's side of a connection, as lib/_http_server.js has it. Undocumented; a test of ours notices when it changes. */
interface Internals {
  /** Null once the connection was upgraded. Reads from the handle by itself, past the stream. */
  readonly parser?: object | null;
  /** The response whose turn it is; the next one takes its place as soon as it has left. */
  readonly _httpMessage?: object | null;
  readonly _handle?: { reading: boolean; readStop(): void; readStart(): void } | null;
  _server: Server | null;
}

const internals = (socket: Socket): Internals => socket as unknown as Internals;

/**
 * The parsers of a server that have read whole requests only: what Node's closeIdleConnections() goes by, ConnectionsList
 * in src/node_http_parser.cc.
 */
export function idleParsers(server: Server): ReadonlySet<unknown> {
  const key = Object.getOwnPropertySymbols(server).find((s) => s.description === 'http.server.connections');
  const list = key && (server as unknown as Record<symbol, { idle(): unknown[] } | undefined>)[key];
  if (list === undefined) throw new Error(`Node ${process.version} does not tell which connections are idle`);
  return new Set(list.idle());
}

export class HttpConnection {
  readonly socket: Socket;
  /** By the word of a predecessor. */
  wasKeptAlive = false;
  /** What was taken over is not the server's before `begin`. */
  #begun: boolean;
  #stopped = false;
  /** The socket's own timeout, while it is suspended. */
  #timeoutMs = 0;
  /** For its first request here, when it was kept alive before. */
  #idleMs = Number.POSITIVE_INFINITY;
  #idle: NodeJS.Timeout | undefined;

  constructor(socket: Socket, origin: 'accepted' | 'taken over') {
    this.socket = socket;
    this.#begun = origin === 'accepted';
    socket.once('close', () => clearTimeout(this.#idle));
  }

  /** There were requests before, so that it may be closed without a word; a new one is owed a 408. */
  get isKeptAlive(): boolean {
    return this.wasKeptAlive || this.socket.bytesRead > 0;
  }

  /** Upgraded; or no plain socket at all, which somebody gave to the server. */
  get isForeign(): boolean {
    const { socket } = this;
    if (!this.#begun || socket.destroyed) return false;
    return !(socket instanceof Socket) || 'encrypted' in socket || internals(socket).parser == null;
  }

  /** Gives it to its server, as if it had been accepted now. */
  begin(server: Server): void {
    this.#begun = true;
    if (this.wasKeptAlive) this.#idleMs = idleMs(server);
    countAsAccepted(server, this.socket);
    server.emit('connection', this.socket);
    this.socket.resume();
    this.#awaitRequest();
  }

  /** Node begins its keepAliveTimeout at the end of a response only, and this process has sent none. */
  #awaitRequest(): void {
    clearTimeout(this.#idle);
    if (this.#idleMs === Number.POSITIVE_INFINITY || this.socket.bytesRead > 0) return;
    this.#idle = setTimeout(() => {
      if (this.socket.bytesRead === 0) this.socket.destroy();
    }, this.#idleMs).unref();
  }

  /**
   * Reads no further from where a request may begin; what comes waits in the kernel. True: nothing is in progress.
   * Reading is stopped at the handle, since after `pause()` a 'resume' may be on its way that starts it again.
   */
  settle(idle: ReadonlySet<unknown>): boolean {
    if (!this.#begun) return true;
    if (this.isForeign) return false;
    const { socket } = this;
    const { parser, _httpMessage, _handle } = internals(socket);
    if (!socket.writable || _handle == null) {
      // About to close; it may have to read the client's end for that.
      this.release();
      return false;
    }
    // To Node a new connection is active, so that headersTimeout applies.
    if (socket.bytesRead > 0 && !idle.has(parser)) {
      this.#timeoutMs = 0; // for a request Node sets it again
      return false;
    }
    if (_handle.reading) {
      this.#stopped = true;
      _handle.reading = false;
      _handle.readStop();
    }
    if (_httpMessage != null || socket.writableLength > 0 || socket.readableLength > 0) return false;
    this.#suspendTimeouts();
    return true;
  }

  /** Who asks in time must not be timed out because nobody reads it. */
  #suspendTimeouts(): void {
    clearTimeout(this.#idle);
    if (!this.socket.timeout) return;
    this.#timeoutMs = this.socket.timeout;
    this.socket.setTimeout(0);
  }

  /** Goes on as before, without reading where the server itself has paused meanwhile. */
  release(): void {
    const { _handle } = internals(this.socket);
    if (this.#stopped && _handle != null && !_handle.reading && !this.socket.isPaused()) {
      _handle.reading = true;
      _handle.readStart();
    }
    this.#stopped = false;
    if (this.#timeoutMs > 0) this.socket.setTimeout(this.#timeoutMs);
    this.#timeoutMs = 0;
    this.#awaitRequest();
  }
}

/** To the parser it is a new connection: before a 408 is sent, which would answer nothing, it is closed without a word. */
function idleMs(server: Server): number {
  const { keepAliveTimeout, keepAliveTimeoutBuffer = 1000, headersTimeout, requestTimeout } = server;
  const keptMs = keepAliveTimeout > 0 ? keepAliveTimeout + keepAliveTimeoutBuffer : 0;
  return Math.min(...[keptMs, headersTimeout, requestTimeout].filter((ms) => ms > 0));
}

/** So that `server.close()` waits for it: onconnection in lib/net.js. The socket counts itself out. */
function countAsAccepted(server: Server, socket: Socket): void {
  (server as unknown as { _connections: number })._connections++;
  internals(socket)._server = server;
}
