import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

type Answer = Readonly<Record<string, unknown>>;

/** The original's protocol and nothing else: requests without `id`, answered in order. */
export class LineClient implements Disposable {
  readonly #socket: Socket;
  readonly #waiting: ((answer: Answer) => void)[] = [];
  #input = '';

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text) => this.#read(String(text)));
  }

  static async connect(path: string): Promise<LineClient> {
    const socket = connect(path);
    await once(socket, 'connect');
    return new LineClient(socket);
  }

  request(name: string, fields: object): Promise<Answer> {
    this.#socket.write(`${name} ${JSON.stringify(fields)}\n`);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #read(text: string): void {
    const lines = (this.#input + text).split('\n');
    this.#input = lines.pop() ?? '';
    for (const line of lines) this.#waiting.shift()?.(JSON.parse(line) as Answer);
  }
}
