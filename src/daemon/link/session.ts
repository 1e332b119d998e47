import type { Socket } from 'node:net';
import type { RawData, WebSocket } from 'ws';
import type { Limits } from '../config/index.ts';
import { type Answerer, Connection } from '../connections/index.ts';
import type { OpenLink } from './dial.ts';
import { CLOSE, type CloseCode, WebSocketTransport } from './transport.ts';

export interface SessionTiming {
  /** How often the cloud is asked whether it is there. */
  readonly pingMs: number;
  /** A cloud that has sent nothing for so long, no answer to a ping either, is not. */
  readonly silenceMs: number;
  /** A cloud that is owed something at the end has so long to read it. */
  readonly lingerMs: number;
}

export interface SessionOptions {
  readonly name: string;
  readonly limits: Limits;
  readonly answer: Answerer;
  readonly timing: SessionTiming;
}

/** How a session ended. */
export interface Closed {
  readonly code: number;
  readonly reason: string;
}

const LINE_END = Buffer.from('\n');

/** A link while it is open: a message of the cloud's is a line of the connection's, and a line of ours a message. */
export class Session {
  readonly connection: Connection;
  /** Resolves when it is gone. */
  readonly closed: Promise<Closed>;
  readonly #ws: WebSocket;
  readonly #socket: Socket;
  readonly #transport: WebSocketTransport;
  readonly #pings: NodeJS.Timeout;
  readonly #silence: NodeJS.Timeout;
  #cutFor: string | null = null;

  constructor({ ws, socket }: OpenLink, { name, limits, answer, timing }: SessionOptions) {
    this.#ws = ws;
    this.#socket = socket;
    this.#silence = setTimeout(() => this.#silent(timing), timing.silenceMs);
    this.#pings = setInterval(() => ws.ping(), timing.pingMs);
    this.#transport = new WebSocketTransport(ws, timing.lingerMs, () => this.#silence.refresh());
    this.connection = new Connection({ name, role: 'operator', limits, transport: this.#transport, answer });
    this.closed = this.#listen();
    ws.resume();
  }

  #listen(): Promise<Closed> {
    this.#ws.on('message', (data, isBinary) => this.#take(data, isBinary));
    // Whatever comes: a long message on a slow line is no silence.
    this.#socket.on('data', () => this.#silence.refresh());
    // What is wrong (a message that is too long, a reset) is told by the end that follows.
    this.#ws.on('error', (error) => {
      this.#cutFor ??= error.message;
    });
    return new Promise((resolve) => {
      this.#ws.once('close', (code, reason) => {
        clearTimeout(this.#silence);
        clearInterval(this.#pings);
        this.connection.lost();
        resolve({ code, reason: this.#cutFor ?? reason.toString() });
      });
    });
  }

  #take(data: RawData, isBinary: boolean): void {
    // `nodebuffer`, the default binaryType, gives a Buffer for every message.
    const message = data as Buffer;
    if (isBinary) this.#refuse(CLOSE.notText, 'the cloud sent a binary message');
    else if (message.includes(LINE_END))
      this.#refuse(CLOSE.notALine, 'the cloud sent a message of several lines');
    else this.connection.feed(Buffer.concat([message, LINE_END]));
  }

  #refuse(code: CloseCode, why: string): void {
    this.#cutFor ??= why;
    this.end(code);
  }

  #silent({ silenceMs }: SessionTiming): void {
    // It is us who do not read, as long as too much is in progress; TCP notices if the cloud goes meanwhile.
    if (this.#transport.isPaused) {
      this.#silence.refresh();
      return;
    }
    this.#cutFor ??= `nothing was heard of the cloud for ${silenceMs} ms`;
    this.#ws.terminate();
  }

  /** Ends the link after what is owed to the cloud. */
  end(code: CloseCode): void {
    this.#transport.closeCode = code;
    this.connection.end();
  }
}
