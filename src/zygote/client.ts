import net from 'node:net';
import { LineFramer } from '../wire/index.ts';
import {
  CONTRACT_VERSION,
  type HelloEvent,
  type RunEvent,
  type StartSpec,
  type StatsEvent,
  type ZygoteEvent,
} from './contract.ts';

/** A zygote's line carries at most the parameters of one run; its events are far shorter. */
const MAX_LINE_BYTES = 4 << 20;

export interface ZygoteListener {
  /** News of a run, in the order in which the zygote sent it. */
  onRun(event: RunEvent): void;
  /** The session is over: the zygote died, closed it, or spoke nonsense. Called once. */
  onClose(reason: string): void;
}

interface Waiting {
  readonly resolve: (event: ZygoteEvent) => void;
  readonly reject: (error: Error) => void;
}

/**
 * One session with a zygote. The zygote listens, the daemon dials; each may die without the other.
 * Requests about runs are written and forgotten: what came of them arrives as events, also in the next session.
 */
export class ZygoteClient {
  readonly #socket: net.Socket;
  readonly #listener: ZygoteListener;
  readonly #framer = new LineFramer(MAX_LINE_BYTES);
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #closed: string | null = null;
  #batch: string[] = [];

  private constructor(socket: net.Socket, listener: ZygoteListener) {
    this.#socket = socket;
    this.#listener = listener;
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', (error) => this.#close(error.message));
    socket.on('close', () => this.#close('the zygote closed the session'));
  }

  /**
   * Connects and says hello; events of the runs that the zygote knows come before this resolves.
   * Rejects with the system's error (`ECONNREFUSED`: no zygote is there any more), or when the zygote has not answered
   * after `helloMs`; 0 waits for ever, for one that is still loading.
   */
  static async connect(
    path: string,
    session: number,
    listener: ZygoteListener,
    helloMs: number,
  ): Promise<{ client: ZygoteClient; hello: HelloEvent }> {
    const socket = net.connect({ path });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    const client = new ZygoteClient(socket, listener);
    const late = setTimeout(
      () => client.#close(`the zygote did not answer within ${helloMs} ms`),
      helloMs || 2 ** 31 - 1,
    );
    late.unref();
    const event = await client
      .#ask({ op: 'hello', version: CONTRACT_VERSION, session })
      .finally(() => clearTimeout(late));
    if (event.event !== 'hello') throw client.#wrong(event);
    return { client, hello: event };
  }

  start(key: string, file: string, spec: StartSpec): void {
    this.#send({ op: 'start', key, file, ...spec });
  }

  acknowledge(key: string): void {
    this.#send({ op: 'ack', key });
  }

  drain(): void {
    this.#send({ op: 'drain' });
  }

  async probe(): Promise<{ ok: boolean; message: string }> {
    const event = await this.#ask({ op: 'probe' });
    if (event.event !== 'probed') throw this.#wrong(event);
    return { ok: event.ok, message: event.message ?? '' };
  }

  /** Signals a run's main process; false when it does not run. */
  async signal(key: string, signal: number): Promise<boolean> {
    const event = await this.#ask({ op: 'signal', key, signal });
    if (event.event !== 'signalled') throw this.#wrong(event);
    return event.ok;
  }

  async cancel(key: string, killAfterMs: number, reason: string): Promise<boolean> {
    const event = await this.#ask({ op: 'cancel', key, kill_after_ms: killAfterMs, reason });
    if (event.event !== 'signalled') throw this.#wrong(event);
    return event.ok;
  }

  async stats(): Promise<StatsEvent> {
    const event = await this.#ask({ op: 'stats' });
    if (event.event !== 'stats') throw this.#wrong(event);
    return event;
  }

  close(): void {
    this.#socket.destroy();
  }

  #ask(request: object): Promise<ZygoteEvent> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      if (this.#closed !== null) return reject(new Error(this.#closed));
      this.#waiting.set(id, { resolve, reject });
      this.#send({ ...request, id });
    });
  }

  /** All that is said in one turn of the loop leaves in one write. */
  #send(request: object): void {
    if (this.#closed !== null) return;
    if (this.#batch.length === 0) queueMicrotask(() => this.#flush());
    this.#batch.push(`${JSON.stringify(request)}\n`);
  }

  #flush(): void {
    const text = this.#batch.join('');
    this.#batch = [];
    if (this.#closed === null) this.#socket.write(text);
  }

  #read(chunk: Buffer): void {
    const { lines, tooLong } = this.#framer.push(chunk);
    for (const line of lines) {
      let event: ZygoteEvent;
      try {
        event = JSON.parse(line.toString()) as ZygoteEvent;
      } catch (error) {
        this.#close(`the zygote sent a line that is not JSON: ${(error as Error).message}`);
        return;
      }
      this.#handle(event);
    }
    if (tooLong) this.#close('the zygote sent a line that is too long');
  }

  #handle(event: ZygoteEvent): void {
    switch (event.event) {
      case 'forked':
      case 'claimed':
      case 'ended':
      case 'refused':
        this.#listener.onRun(event);
        return;
      default: {
        const waiting = event.id === undefined ? undefined : this.#waiting.get(event.id);
        if (event.id === undefined || waiting === undefined) return;
        this.#waiting.delete(event.id);
        if (event.event === 'error') waiting.reject(new Error(event.message));
        else waiting.resolve(event);
      }
    }
  }

  #wrong(event: ZygoteEvent): Error {
    this.close();
    return new Error(`the zygote answered with '${event.event}'`);
  }

  #close(reason: string): void {
    if (this.#closed !== null) return;
    this.#closed = reason;
    this.#socket.destroy();
    for (const { reject } of this.#waiting.values()) reject(new Error(reason));
    this.#waiting.clear();
    this.#listener.onClose(reason);
  }
}
