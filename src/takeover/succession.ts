// The successor's part of a takeover: it takes connections in advance, rehearses, adopts, and owns all by one word.
import { closeSync, readSync, writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { Activation } from './activation.ts';
import { DISPATCH_VERSION, type HandOverTiming, type Received, receive, sayAdopted } from './dispatches.ts';
import { adoptSocket } from './sockets.ts';

/** What the successor makes of its predecessor's estate. Whatever throws here leaves the predecessor serving. */
export interface Heir {
  /** A connection of the predecessor's, paused. It is still served there: neither read nor write. */
  connection(id: number, socket: Socket, description: unknown): void;
  /** That connection is over; the socket has been destroyed. */
  gone(id: number): void;
  /** Reads a state that will never be in force, so that the code is warm and faults show early. Must not change anything. */
  rehearse(state: Buffer): void;
  /** The state that is in force as soon as `succeed` resolves. Must not do anything yet that others could notice. */
  adopt(state: Buffer): void;
  /** Called at each named step; tests end the process there. */
  step?(name: SuccessionStep): void;
}

export type SuccessionStep =
  | 'prepared'
  | 'passed'
  | 'rehearsed'
  | 'frozen'
  | 'adopted'
  | 'said'
  | 'committed';

/**
 * `taken`: everything is ours, the predecessor has left. `alone`: it died; `adopted` says whether its whole state had
 * been adopted by then, and so is ours, or whether this process begins with nothing of it.
 */
export type Succession = (
  | { readonly how: 'taken'; readonly timing: HandOverTiming }
  | { readonly how: 'alone'; readonly adopted: boolean }
) & {
  /**
   * Begins to serve the connections: calls `begin` once for each that is still open. Those whose clients have sent
   * something come first, and two turns of the event loop are theirs; the rest in slices of 1 ms, between which the loop
   * turns and who has sent something meanwhile is moved ahead. Resolves when all have begun.
   */
  activate(begin: (id: number, socket: Socket) => void): Promise<void>;
};

/** The predecessor goes on: this process has to end, and touches nothing. */
export class TakeoverCalledOff extends Error {
  override readonly name = 'TakeoverCalledOff';

  constructor() {
    super('the predecessor goes on serving');
  }
}

/**
 * Receives what the predecessor hands over. Nothing else happens in this process until that is decided: no timer, no
 * event. Throws TakeoverCalledOff.
 * @param dispatches the seqpacket socket; `answers` the stream socket for acknowledgements
 */
export class Successor {
  readonly #heir: Heir;
  readonly #dispatches: number;
  readonly #answers: number;
  readonly #activation = new Activation();
  #memory = -1;
  #adopted = false;

  constructor(heir: Heir, dispatches: number, answers: number) {
    this.#heir = heir;
    this.#dispatches = dispatches;
    this.#answers = answers;
  }

  succeed(): Succession {
    try {
      for (let message = receive(this.#dispatches); message !== null; message = receive(this.#dispatches)) {
        if (message.kind === 'commit') {
          this.#heir.step?.('committed');
          return { how: 'taken', timing: message.timing, activate: this.#activate };
        }
        if (message.kind === 'thaw') throw new TakeoverCalledOff();
        this.#take(message);
      }
      if (!this.#adopted) this.#activation.close();
      return { how: 'alone', adopted: this.#adopted, activate: this.#activate };
    } finally {
      closeSync(this.#dispatches);
      closeSync(this.#answers);
      if (this.#memory >= 0) closeSync(this.#memory);
    }
  }

  readonly #activate: Succession['activate'] = (begin) => this.#activation.run(begin);

  #take(message: Received): void {
    switch (message.kind) {
      case 'memory':
        if (message.version !== DISPATCH_VERSION) {
          throw new Error(
            `the predecessor hands over by version ${message.version}, this release takes ${DISPATCH_VERSION}`,
          );
        }
        this.#memory = message.fds[0] ?? -1;
        this.#acknowledge();
        break;
      case 'connections':
        message.ids.forEach((id, i) => {
          const fd = message.fds[i] as number;
          const socket = adoptSocket(fd);
          this.#activation.add(id, socket, fd);
          this.#heir.connection(id, socket, message.descriptions[i]);
        });
        this.#heir.step?.('passed');
        this.#acknowledge();
        break;
      case 'gone':
        for (const id of message.ids) this.#drop(id);
        break;
      case 'rehearsal':
        this.#heir.rehearse(this.#state(message.bytes));
        this.#heir.step?.('rehearsed');
        this.#acknowledge();
        break;
      case 'frozen':
        this.#heir.step?.('frozen');
        this.#heir.adopt(this.#state(message.bytes));
        this.#adopted = true;
        this.#heir.step?.('adopted');
        sayAdopted(this.#dispatches);
        this.#heir.step?.('said');
        break;
    }
  }

  #drop(id: number): void {
    const socket = this.#activation.remove(id);
    if (socket === undefined) return;
    // libuv closes the descriptor within this call, which the client waits for; its event loop stands still.
    socket.destroy();
    this.#heir.gone(id);
  }

  #state(bytes: number): Buffer {
    const state = Buffer.allocUnsafeSlow(bytes);
    for (let at = 0; at < bytes; ) {
      const read = readSync(this.#memory, state, at, bytes - at, at);
      if (read === 0) throw new Error(`the state ends after ${at} of ${bytes} bytes`);
      at += read;
    }
    return state;
  }

  #acknowledge(): void {
    try {
      writeSync(this.#answers, '.');
    } catch (error) {
      // The predecessor is gone, which the next receive() says too.
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
    }
  }
}
