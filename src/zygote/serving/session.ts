import type net from 'node:net';
import { LineFramer } from '../../wire/index.ts';
import type { ZygoteEvent } from '../contract.ts';
import { descriptorOf, letGo } from './handle.ts';
import { readPending } from './pending.ts';

/** A request carries at most a run's argv, environment and standard input. */
const MAX_LINE_BYTES = 16 << 20;
/** Beyond this much unread output, news of runs waits until the daemon has read. */
const CONGESTED_BYTES = 1 << 20;
/** Beyond this much the daemon is taken for dead: in its next session it is told everything. */
const MAX_UNREAD_BYTES = 8 << 20;

export interface SessionOwner {
  onRequest(session: Session, line: Buffer): void;
  /** What to say of a run now; null: it is not known any more. `waiting`: there will be something in a moment. */
  latestEvent(key: string): ZygoteEvent | 'waiting' | null;
  onClose(session: Session): void;
}

/**
 * One connection of the daemon's. However slowly it is read, it holds a bounded amount: when output piles up, a run's
 * news shrinks to its key, and its latest event, which is all that counts, is said when there is room again.
 */
export class Session {
  /** Null until `hello`. */
  number: number | null = null;
  readonly #socket: net.Socket;
  readonly #owner: SessionOwner;
  readonly #framer = new LineFramer(MAX_LINE_BYTES);
  #received: Buffer[] = [];
  readonly #untold = new Set<string>();
  /** Answers to `hello`, said once the last of the untold runs is told. */
  #greetings: ZygoteEvent[] = [];
  #batch: string[] = [];
  #batchedBytes = 0;
  #open = true;

  constructor(socket: net.Socket, owner: SessionOwner) {
    this.#socket = socket;
    this.#owner = owner;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('drain', () => this.#tellUntold());
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => {
      this.#carryOut();
      this.#closed();
    });
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Tells of every run, as there is room, and answers `hello` after that. */
  greet(keys: Iterable<string>, hello: ZygoteEvent): void {
    for (const key of keys) this.#untold.add(key);
    this.#greetings.push(hello);
    this.#tellUntold();
  }

  /** A run has news. */
  tell(key: string): void {
    if (!this.#open) return;
    if (this.#untold.size === 0 && this.#unreadBytes <= CONGESTED_BYTES) {
      this.#sayLatest(key);
    } else {
      this.#untold.add(key);
      this.#tellUntold();
    }
  }

  /** All that is said in one turn of the loop leaves in one write. */
  say(event: ZygoteEvent): void {
    if (!this.#open) return;
    const line = `${JSON.stringify(event)}\n`;
    if (this.#batch.length === 0) queueMicrotask(() => this.#flush());
    this.#batch.push(line);
    this.#batchedBytes += line.length;
    if (this.#unreadBytes <= MAX_UNREAD_BYTES) return;
    this.#closed();
    this.#socket.destroy();
  }

  /** Says what has been said, then ends the connection. */
  close(): void {
    this.#flush();
    this.#closed();
    this.#socket.destroySoon();
  }

  /** A newer session takes over: carries out every request that waits here, then ends the connection. */
  supersede(): void {
    this.#carryOut();
    const fd = descriptorOf(this.#socket);
    if (fd !== null) readPending(fd, (chunk) => this.#push(chunk));
    this.#closed();
    this.#socket.destroy();
  }

  /** In a process that has come from this one by fork(2): lets go of the connection, which goes on without it. */
  abandon(): void {
    this.#open = false;
    this.#received = [];
    letGo(this.#socket);
  }

  get descriptor(): number | null {
    return descriptorOf(this.#socket);
  }

  get #unreadBytes(): number {
    return this.#socket.writableLength + this.#batchedBytes;
  }

  /**
   * A SIGTERM that came before a request shall be noticed before it, but epoll_wait(2) returns what is readable rather
   * than EINTR, and the signal's own event then comes with the next turn of the loop: so requests wait for that one.
   */
  #receive(chunk: Buffer): void {
    if (this.#received.length === 0) setImmediate(() => setImmediate(() => this.#carryOut()));
    this.#received.push(chunk);
  }

  #carryOut(): void {
    for (const chunk of this.#received.splice(0)) this.#push(chunk);
  }

  #push(chunk: Buffer): void {
    const { lines, tooLong } = this.#framer.push(chunk);
    for (const line of lines) {
      if (!this.#open) return;
      this.#owner.onRequest(this, line);
    }
    if (!tooLong || !this.#open) return;
    this.say({ event: 'error', message: `a line is longer than ${MAX_LINE_BYTES} bytes` });
    this.close();
  }

  #tellUntold(): void {
    for (const key of this.#untold) {
      if (this.#unreadBytes > CONGESTED_BYTES) {
        this.#flush();
        if (this.#unreadBytes > CONGESTED_BYTES) return; // 'drain' comes
      }
      if (this.#sayLatest(key)) this.#untold.delete(key);
    }
    if (this.#untold.size > 0) return; // somebody's fork is under way, and `tell` comes
    for (const greeting of this.#greetings.splice(0)) this.say(greeting);
  }

  /** `false`: there is nothing to say yet. */
  #sayLatest(key: string): boolean {
    const event = this.#owner.latestEvent(key);
    if (event === 'waiting') return false;
    if (event !== null) this.say(event);
    return true;
  }

  #flush(): void {
    if (this.#batch.length === 0) return;
    const text = this.#batch.join('');
    this.#batch = [];
    this.#batchedBytes = 0;
    if (this.#open) this.#socket.write(text);
  }

  #closed(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#untold.clear();
    this.#owner.onClose(this);
  }
}
