// A bare connection to a daemon: lines as they are, for tests of the wire itself.
import net from 'node:net';
import readline from 'node:readline';

/** Where to connect: the path of a Unix socket, or a port on this machine. */
export type Where = string | number;

export class Wire {
  readonly socket: net.Socket;
  readonly #lines: AsyncIterator<string>;
  #closed: Promise<void>;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    this.#closed = new Promise((resolve) => socket.once('close', () => resolve()));
    // An abrupt end is an end; what was said before it counts.
    socket.on('error', () => undefined);
    this.#lines = readline.createInterface({ input: socket })[Symbol.asyncIterator]();
  }

  static async open(where: Where): Promise<Wire> {
    return new Wire(await connected(where));
  }

  send(...lines: string[]): void {
    this.socket.write(lines.map((line) => `${line}\n`).join(''));
  }

  /** The next line, or null when the connection has ended. */
  async line(): Promise<string | null> {
    try {
      const { value, done } = await this.#lines.next();
      return done === true ? null : value;
    } catch (error) {
      if (['EPIPE', 'ECONNRESET'].includes(String((error as NodeJS.ErrnoException).code))) return null;
      throw error;
    }
  }

  /** The next line as JSON. */
  async json(): Promise<Record<string, unknown>> {
    const line = await this.line();
    if (line === null) throw new Error('the connection has ended');
    return JSON.parse(line) as Record<string, unknown>;
  }

  async ask(line: string): Promise<Record<string, unknown>> {
    this.send(line);
    return await this.json();
  }

  /** Resolves when the connection is gone. */
  async closed(): Promise<void> {
    await this.#closed;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** A socket, once it is connected. Both sides close by themselves. */
export async function connected(where: Where): Promise<net.Socket> {
  const socket = net.connect({
    ...(typeof where === 'string' ? { path: where } : { port: where, host: '127.0.0.1' }),
    allowHalfOpen: true,
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  // Who has heard the other's end closes too, unless the test wants to go on.
  socket.once('end', () => socket.end());
  return socket;
}
