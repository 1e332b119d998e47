import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';
import { jsonDepth, LineFramer, MAX_JSON_DEPTH, type RequestName, RocksyError } from '../wire/index.ts';
import { type Address, addressText } from './address.ts';
import { type AnswerFields, decodeLine, type Message } from './answer.ts';
import { ConnectionError } from './errors.ts';

const PROTOCOL = 1;
const KEEP_ALIVE_MS = 30_000;
const HELLO_ID = 0;

/** What the daemon says of itself. */
export interface Hello {
  readonly version: string;
  readonly protocol: number;
  readonly pid: number;
  /** What this connection may do: `viewer`, `operator`, `admin`, or null before a token was accepted. */
  readonly role: string | null;
}

export interface ConnectionOptions {
  readonly token: string | undefined;
  readonly maxLineBytes: number;
  /** How long connecting and hello may take together. */
  readonly openTimeoutMs: number;
}

/** A request as a line. Throws `invalid_json` for what the daemon could not read, because its answer would name nobody. */
export function encodeRequest(name: RequestName, id: number, fields: object): string {
  const text = JSON.stringify({ id, ...fields }, bigintsAsNumbers);
  if (jsonDepth(text) > MAX_JSON_DEPTH) {
    throw new RocksyError('invalid_json', `The request nests deeper than ${MAX_JSON_DEPTH}`);
  }
  return `${name} ${text}\n`;
}

function bigintsAsNumbers(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? JSON.rawJSON(String(value)) : value;
}

/**
 * One connection, after its hello. Lines are read only when somebody asks for the next one: a slow reader fills the
 * kernel's buffers and then stops the daemon, never this process's memory.
 */
export class Connection implements Disposable {
  readonly address: Address;
  readonly #socket: Socket;
  readonly #framer: LineFramer;
  readonly #incoming: AsyncGenerator<Message, void, void>;
  #hello: Hello | undefined;

  private constructor(address: Address, socket: Socket, maxLineBytes: number) {
    this.address = address;
    this.#socket = socket;
    this.#framer = new LineFramer(maxLineBytes);
    this.#incoming = this.#read();
  }

  /**
   * Connects and says hello. Fails with what the socket says, with the daemon's refusal, with a `protocol` error, or
   * with the reason of the signal.
   */
  static async open(address: Address, options: ConnectionOptions, signal: AbortSignal): Promise<Connection> {
    signal.throwIfAborted();
    const socket = connectSocket(address.kind === 'unix' ? { path: address.path } : address);
    // Errors are told by whoever reads; between two reads nobody listens, and an error without a listener is a crash.
    socket.on('error', () => {});
    const limit = AbortSignal.any([signal, AbortSignal.timeout(options.openTimeoutMs)]);
    const giveUp = () => socket.destroy(limit.reason);
    limit.addEventListener('abort', giveUp, { once: true });
    try {
      await once(socket, 'connect', { signal: limit });
      socket.setNoDelay(true);
      if (address.kind === 'tcp') socket.setKeepAlive(true, KEEP_ALIVE_MS);
      const connection = new Connection(address, socket, options.maxLineBytes);
      await connection.#greet(options.token);
      return connection;
    } catch (error) {
      socket.destroy();
      throw limit.aborted ? limit.reason : error;
    } finally {
      limit.removeEventListener('abort', giveUp);
    }
  }

  get hello(): Hello {
    if (this.#hello === undefined) throw new TypeError('the daemon has not said hello yet');
    return this.#hello;
  }

  /** Sends what `encodeRequest` made. */
  send(line: string): void {
    this.#socket.write(line);
  }

  /**
   * The lines of the daemon, until the connection ends. A farewell of the daemon is thrown as its error; what is not
   * the protocol as a `protocol` error.
   */
  [Symbol.asyncIterator](): AsyncGenerator<Message, void, void> {
    return this.#incoming;
  }

  /** Whether the process stays for the sake of this connection. */
  hold(): void {
    this.#socket.ref();
  }

  release(): void {
    this.#socket.unref();
  }

  close(): void {
    this.#socket.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #greet(token: string | undefined): Promise<void> {
    this.send(encodeRequest('hello', HELLO_ID, token === undefined ? {} : { token }));
    const { value: first } = await this.#incoming.next();
    if (first === undefined) throw new Error('the connection was closed before the daemon said hello');
    if (first.kind === 'refusal') throw first.error;
    if (first.kind !== 'answer' || first.id !== HELLO_ID)
      throw this.#violation('an answer that nobody asked for');
    this.#hello = this.#helloOf(first.fields);
  }

  #helloOf(fields: AnswerFields): Hello {
    const { version, protocol, pid, role } = fields;
    if (protocol !== PROTOCOL) {
      throw this.#violation(`protocol ${JSON.stringify(protocol ?? null)}; this client speaks ${PROTOCOL}`);
    }
    return {
      version: String(version),
      protocol,
      pid: Number(pid),
      role: typeof role === 'string' ? role : null,
    };
  }

  async *#read(): AsyncGenerator<Message, void, void> {
    for await (const chunk of this.#socket as AsyncIterable<Buffer>) {
      const { lines, tooLong } = this.#framer.push(chunk);
      for (const line of lines) yield this.#decode(line);
      if (tooLong) throw this.#violation('a line longer than `maxLineBytes`');
    }
  }

  #decode(line: Buffer): Message {
    let incoming: ReturnType<typeof decodeLine>;
    try {
      incoming = decodeLine(line);
    } catch (error) {
      throw this.#violation((error as Error).message, error);
    }
    if (incoming.kind === 'farewell') throw incoming.error;
    return incoming;
  }

  #violation(what: string, cause?: unknown): ConnectionError {
    const where = addressText(this.address);
    return new ConnectionError(
      'protocol',
      `${where} does not answer as a rocksyd does: ${what}`,
      [where],
      cause,
    );
  }
}
