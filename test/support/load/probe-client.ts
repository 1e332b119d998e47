import type net from 'node:net';
import { type Address, connect, connected } from './address.ts';
import type { Dialect } from './dialects.ts';
import type { WindowCounts } from './window.ts';

/** Clients that connect at the same time, of one process. */
const AT_ONCE = 100;
/** Between two attempts of a client that was refused. */
const AGAIN_MS = 10;

let connecting = 0;
const queue: (() => void)[] = [];

/**
 * A client that asks now and then on one connection, and connects again when that is cut. What it measures is how long
 * it had to wait: from the request, or from the cut, to the next answer, however many connections that took.
 */
export class ProbeClient {
  readonly #address: Address;
  readonly #number: number;
  readonly #dialect: Dialect;
  readonly #counts: WindowCounts;
  #socket: net.Socket | null = null;
  #served = false;
  #lastRequest = 0;
  /** Since when it waits for an answer; null: it has all. */
  #since: number | null = null;
  #text = '';
  #first: () => void = () => undefined;

  constructor(address: Address, number: number, dialect: Dialect, counts: WindowCounts) {
    this.#address = address;
    this.#number = number;
    this.#dialect = dialect;
    this.#counts = counts;
  }

  /** Connects, and resolves with the first answer. */
  async start(): Promise<void> {
    await this.#connect();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#first = resolve;
    this.#request();
    await promise;
  }

  /** Whether the present connection has ever been answered. */
  get isServed(): boolean {
    return this.#socket !== null && this.#served;
  }

  /** How long it has been waiting for an answer; 0 when it is not. */
  waitingMs(): number {
    return this.#since === null ? 0 : performance.now() - this.#since;
  }

  /** Asks, unless it is still waiting. */
  ask(): void {
    if (this.#since === null) this.#request();
  }

  #request(): void {
    this.#since ??= performance.now();
    this.#text = '';
    this.#socket?.write(this.#dialect.request(++this.#lastRequest));
  }

  /** One attempt after the other, and not too many of all clients at once. */
  async #connect(): Promise<void> {
    if (connecting >= AT_ONCE) await new Promise<void>((resolve) => queue.push(resolve));
    connecting++;
    while (this.#socket === null) {
      const socket = connect(this.#address, this.#number);
      try {
        await connected(socket);
        this.#socket = socket;
        this.#served = false;
        this.#listen(socket);
      } catch {
        this.#counts.count('refused');
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
    connecting--;
    queue.shift()?.();
  }

  #listen(socket: net.Socket): void {
    socket.setEncoding('latin1');
    socket.on('data', (text) => this.#take(String(text)));
    socket.on('end', () => this.#cut(socket));
    socket.on('close', () => this.#cut(socket));
    socket.on('error', () => this.#cut(socket));
  }

  #take(text: string): void {
    this.#text += text;
    const verdict = this.#since === null ? 'wrong' : this.#dialect.judge(this.#text, this.#lastRequest);
    if (verdict === 'wrong') this.#counts.count('wrong');
    if (verdict !== 'whole' || this.#since === null) return;
    this.#counts.answered(performance.now() - this.#since);
    this.#since = null;
    this.#served = true;
    this.#first();
  }

  #cut(socket: net.Socket): void {
    if (this.#socket !== socket) return;
    this.#socket = null;
    socket.destroy();
    this.#counts.count(this.#served ? 'cut' : 'refused');
    if (this.#served && this.#since !== null) this.#counts.count('lost');
    this.#since ??= performance.now();
    void this.#connect().then(() => this.#request());
  }
}
