// The first moments of a successor: who is waiting is served first, and nobody waits for all the others.
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ReadySet } from '../posix/index.ts';
import { descriptorOf } from './sockets.ts';

const SLICE_MS = 1;
/** So many turns of the event loop belong to those alone who have sent something: the second one reads it. */
const HEAD_START_TURNS = 2;

/** Connections that are not served yet; the kernel notes which of them have something to read. */
export class Activation {
  readonly #waiting = new Map<number, Socket>();
  #ready: ReadySet | null = new ReadySet();

  add(id: number, socket: Socket, fd: number): void {
    this.#waiting.set(id, socket);
    this.#ready?.add(fd, id);
  }

  remove(id: number): Socket | undefined {
    const socket = this.#waiting.get(id);
    this.#waiting.delete(id);
    return socket;
  }

  async run(begin: (id: number, socket: Socket) => void): Promise<void> {
    const beginOne = (id: number): void => {
      const socket = this.remove(id);
      if (socket !== undefined && descriptorOf(socket) !== null) begin(id, socket);
    };
    for (let turn = 0; this.#waiting.size > 0; turn++) {
      for (const id of this.#ready?.take() ?? []) beginOne(id);
      const until = performance.now() + (turn < HEAD_START_TURNS ? 0 : SLICE_MS);
      for (const id of this.#waiting.keys()) {
        if (performance.now() > until) break;
        beginOne(id);
      }
      await nextTurn();
    }
    this.close();
  }

  close(): void {
    this.#ready?.close();
    this.#ready = null;
    this.#waiting.clear();
  }
}
