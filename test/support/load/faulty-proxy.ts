import net from 'node:net';
import path from 'node:path';
import type { TestDaemon } from '../daemon.ts';

/** What becomes of a line: others follow it as they came. */
export type Fault = 'none' | 'dropped' | 'doubled' | 'swapped' | 'shortened';

/** Of the daemon's lines, one in so many is not passed on as it is. */
const ONE_IN = 20;

/** Stands between clients and a daemon, and does to its answers what must never happen: shows that it is noticed. */
export class FaultyProxy implements AsyncDisposable {
  fault: Fault = 'none';
  readonly path: string;
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  #lines = 0;

  private constructor(daemon: TestDaemon) {
    this.path = path.join(daemon.folder, 'proxy.sock');
    this.#server = net.createServer({ allowHalfOpen: true }, (client) => {
      const server = net.connect({ path: daemon.socket, allowHalfOpen: true });
      client.pipe(server);
      this.#passOn(server, client);
      for (const socket of [client, server]) {
        this.#sockets.add(socket);
        socket.on('close', () => this.#sockets.delete(socket));
        socket.on('error', () => socket.destroy());
      }
    });
  }

  static async start(daemon: TestDaemon): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(daemon);
    await new Promise<void>((resolve) => proxy.#server.listen(proxy.path, resolve));
    return proxy;
  }

  #passOn(server: net.Socket, client: net.Socket): void {
    let rest = '';
    let held = '';
    server.setEncoding('utf8');
    server.on('data', (text) => {
      const lines = (rest + String(text)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const faulty = ++this.#lines % ONE_IN === 0 ? this.fault : 'none';
        if (faulty === 'swapped') held += `${line}\n`;
        else {
          client.write(spoilt(`${line}\n`, faulty) + held);
          held = '';
        }
      }
    });
    server.on('end', () => client.end(held));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function spoilt(line: string, fault: Exclude<Fault, 'swapped'>): string {
  switch (fault) {
    case 'none':
      return line;
    case 'dropped':
      return '';
    case 'doubled':
      return line + line;
    case 'shortened':
      // By one byte, near its end, where most is that could be mistaken for right.
      return `${line.slice(0, -4)}${line.slice(-3)}`;
  }
}
