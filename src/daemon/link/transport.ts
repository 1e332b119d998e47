import type { WebSocket } from 'ws';
import type { Transport } from '../connections/index.ts';

/** Codes that a link is closed with: RFC 6455, 7.4.1. */
export const CLOSE = { normal: 1000, goingAway: 1001, notText: 1003, notALine: 1008 } as const;
export type CloseCode = (typeof CLOSE)[keyof typeof CLOSE];

const LINE_END = 0x0a;

/** Carries a connection's lines over a WebSocket, each as a message of its own. */
export class WebSocketTransport implements Transport {
  readonly #ws: WebSocket;
  readonly #lingerMs: number;
  readonly #onResume: () => void;
  /** What the link is closed with when its end comes. */
  closeCode: CloseCode = CLOSE.normal;
  #expiring = false;

  /** @param lingerMs how long a cloud that was told goodbye may take to read it */
  constructor(ws: WebSocket, lingerMs: number, onResume: () => void) {
    this.#ws = ws;
    this.#lingerMs = lingerMs;
    this.#onResume = onResume;
  }

  /** A WebSocket reports each message by itself, in order: the last one stands for all. */
  write(bytes: Buffer, done: () => void): void {
    let at = 0;
    for (let end = bytes.indexOf(LINE_END); end >= 0; end = bytes.indexOf(LINE_END, at)) {
      const isLast = end === bytes.length - 1;
      const line = bytes.subarray(at, end);
      this.#ws.send(line, { binary: false }, isLast ? (error) => error == null && done() : undefined);
      at = end + 1;
    }
  }

  pause(): void {
    this.#ws.pause();
  }

  resume(): void {
    this.#ws.resume();
    this.#onResume();
  }

  get isPaused(): boolean {
    return this.#ws.isPaused;
  }

  expire(): void {
    if (this.#expiring) return;
    this.#expiring = true;
    const timer = setTimeout(() => this.#ws.terminate(), this.#lingerMs);
    this.#ws.once('close', () => clearTimeout(timer));
    // What it still sends is thrown away; its own goodbye comes behind it.
    this.#ws.resume();
  }

  end(): void {
    this.#ws.close(this.closeCode);
    this.expire();
  }
}
