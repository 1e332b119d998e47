import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { EndedEvent, HelloEvent, StartSpec, ZygoteEvent } from '../contract.ts';
import type { TestedZygote } from './runtime.ts';

/** Waits for something that has no event: a line in a file, a process that is gone. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await delay(2);
  }
}

type Name = ZygoteEvent['event'];
type Named<N extends Name> = Extract<ZygoteEvent, { event: N }>;

/** The daemon's end of a session. Every event is kept, in order, until a test takes it. */
export class Conversation {
  readonly events: ZygoteEvent[] = [];
  readonly closed: Promise<unknown>;
  readonly #socket: net.Socket;
  #rest = '';
  #lastId = 0;
  #wake: (() => void)[] = [];

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    this.closed.then(() => this.#look());
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() ?? '';
      this.events.push(...lines.map((line) => JSON.parse(line) as ZygoteEvent));
      this.#look();
    });
  }

  static async open(zygote: TestedZygote): Promise<Conversation> {
    const socket = net.connect({ path: zygote.socket });
    await once(socket, 'connect');
    return new Conversation(socket);
  }

  /** Connects and says hello. */
  static async begin(zygote: TestedZygote, session = 1): Promise<Conversation> {
    const conversation = await Conversation.open(zygote);
    await conversation.hello(session);
    return conversation;
  }

  async hello(session: number): Promise<HelloEvent> {
    return (await this.ask({ op: 'hello', version: 1, session })) as HelloEvent;
  }

  /** Begins, and has the zygote probed: from then on it parks children. */
  static async serve(zygote: TestedZygote): Promise<Conversation> {
    const conversation = await Conversation.begin(zygote);
    assert.partialDeepStrictEqual(await conversation.ask({ op: 'probe' }), { event: 'probed', ok: true });
    return conversation;
  }

  /** In one write: the zygote may read them at once. */
  send(...requests: object[]): void {
    this.write(requests.map((request) => `${JSON.stringify(request)}\n`).join(''));
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  /** The answer that carries the request's id. */
  ask(request: object): Promise<ZygoteEvent> {
    const id = ++this.#lastId;
    this.send({ ...request, id });
    return this.take((event) => 'id' in event && event.id === id);
  }

  start(key: string, what: StartSpec, more: object = {}): void {
    this.send({ op: 'start', key, file: key, ...what, ...more });
  }

  async run(key: string, what: StartSpec, more: object = {}): Promise<EndedEvent> {
    this.start(key, what, more);
    return this.about(key, 'ended');
  }

  /** The first event of this name about the run; those before it, about the same run, are dropped. */
  async about<N extends 'forked' | 'claimed' | 'ended' | 'refused'>(key: string, name: N): Promise<Named<N>> {
    return (await this.take(
      (event) => event.event === name && 'key' in event && event.key === key,
    )) as Named<N>;
  }

  /** What has come about the run, in order. */
  named(key: string): Name[] {
    return this.events.filter((event) => 'key' in event && event.key === key).map((event) => event.event);
  }

  async take(fits: (event: ZygoteEvent) => boolean): Promise<ZygoteEvent> {
    let ended = false;
    this.closed.then(() => {
      ended = true;
    });
    for (;;) {
      const index = this.events.findIndex(fits);
      const found = this.events[index];
      if (found !== undefined) {
        this.events.splice(index, 1);
        return found;
      }
      if (ended) throw new Error(`the zygote has closed the session; unread: ${JSON.stringify(this.events)}`);
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  end(): void {
    this.#socket.destroy();
  }

  #look(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
