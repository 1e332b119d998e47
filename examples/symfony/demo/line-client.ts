import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

export type Fields = Record<string, unknown>;

/** The line protocol of docs/wire.md and nothing else. */
export interface LineClient {
  /** Resolves with an answer that is `ok`, rejects with any other. `onPush` gets the lines pushed before it. */
  request(name: string, fields?: Fields, onPush?: (push: Fields) => void): Promise<Fields>;
  close(): void;
}

export async function connectTo(path: string): Promise<LineClient> {
  const socket = connect(path);
  await once(socket, 'connect');
  const open = new Map<
    number,
    { settle: (answer: Fields) => void; fail: (e: Error) => void; onPush: (p: Fields) => void }
  >();
  let lastId = 0;

  createInterface({ input: socket }).on('line', (line) => {
    const message: Fields = JSON.parse(line);
    const id = Number(message.id);
    const waiting = open.get(id);
    if ('event' in message) {
      waiting?.onPush(message);
      return;
    }
    open.delete(id);
    if (message.ok === true) waiting?.settle(message);
    else waiting?.fail(new Error(`${message.code}: ${message.message}`));
  });
  socket.on('error', () => {}); // 'close' follows
  socket.on('close', () => {
    for (const { fail } of open.values()) fail(new Error('the connection to rocksyd is closed'));
  });

  return {
    request: (name, fields = {}, onPush = () => {}) =>
      new Promise((settle, fail) => {
        const id = ++lastId;
        open.set(id, { settle, fail, onPush });
        socket.write(`${name} ${JSON.stringify({ ...fields, id })}\n`);
      }),
    close: () => socket.destroy(),
  };
}
