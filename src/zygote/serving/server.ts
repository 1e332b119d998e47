import net from 'node:net';
import { CONTRACT_VERSION, type HelloEvent, type ZygoteConfig, type ZygoteEvent } from '../contract.ts';
import { letGo } from './handle.ts';
import { isKey, isMilliseconds, parseRequest, type RawRequest, type RunStart } from './request.ts';
import { latestEvent } from './run.ts';
import type { Refusal, Runs, RunsListener } from './runs.ts';
import { Session, type SessionOwner } from './session.ts';

/** Beyond the largest signal of Linux, _NSIG: signal(7). */
const SIGNALS = 65;

/** Requests that are answered under their id. */
const ASKING = ['probe', 'signal', 'cancel', 'stats'];

/** What differs from runtime to runtime, as sessions see it. */
export interface Runtime<Start extends RunStart> {
  /** What a `start` says, or the sentence why it can't be carried out. */
  parseStart(key: string, fields: RawRequest['fields']): Start | string;
  /** Has a child go through all preparation that runs nothing of the user's. */
  probe(done: (problem: string | null) => void): void;
  /** What is open here and not the bootstrap's; `sessions` are the connections of daemons. */
  descriptors(sessions: readonly number[]): number[];
  /** What `hello` tells of the bootstrap beside that. */
  left?: Pick<HelloEvent, 'findings' | 'made_at'>;
  /** How many children are parked. */
  parked(): number;
  /** Nothing more will be started. */
  drain(): void;
}

/** The daemon's side of the zygote: who is the current session, and what each request does. */
export class Server<Start extends RunStart> implements SessionOwner, RunsListener {
  readonly #runs: Runs<Start>;
  readonly #config: ZygoteConfig;
  readonly #runtime: Runtime<Start>;
  readonly #listener: net.Server;
  readonly #sessions = new Set<Session>();
  #current: Session | null = null;
  #lastNumber = Number.NEGATIVE_INFINITY;
  #draining = false;

  constructor(runs: Runs<Start>, config: ZygoteConfig, runtime: Runtime<Start>) {
    this.#runs = runs;
    this.#config = config;
    this.#runtime = runtime;
    this.#listener = net.createServer((socket) => this.#sessions.add(new Session(socket, this)));
  }

  listen(fd: number): void {
    this.#listener.listen({ fd });
  }

  /** Starts nothing more, and ends the process once every run has ended and been acknowledged. */
  drain(): void {
    this.#draining = true;
    this.#runtime.drain();
    this.#exitWhenDrained();
  }

  /** In a process that has come from this one by fork(2): lets go of listener and connections. */
  abandon(): void {
    letGo(this.#listener);
    for (const session of this.#sessions) session.abandon();
  }

  changed(key: string): void {
    this.#current?.tell(key);
  }

  refused(key: string, refusal: Refusal): void {
    this.#current?.say({ event: 'refused', key, ...refusal });
    this.#current?.tell(key); // a hello may have been waiting for it
    this.#exitWhenDrained();
  }

  latestEvent(key: string): ZygoteEvent | 'waiting' | null {
    const run = this.#runs.get(key);
    return run === undefined ? null : (latestEvent(run) ?? 'waiting');
  }

  onClose(session: Session): void {
    this.#sessions.delete(session);
    if (this.#current === session) this.#current = null;
  }

  onRequest(session: Session, line: Buffer): void {
    const request = parseRequest(line);
    if (request === null) {
      session.say(failure(undefined, 'the line is not a JSON object with an op'));
    } else if (request.op === 'hello') {
      this.#hello(session, request);
    } else if (session.number === null) {
      session.say(failure(request.id, `${request.op}: the first request of a connection is hello`));
      session.close();
    } else {
      const answer = this.#carryOut(session, request);
      if (answer !== null) session.say(answer);
    }
  }

  #hello(session: Session, { id, fields }: RawRequest): void {
    const { version, session: number } = fields;
    const problem = this.#problemWithHello(version, number);
    if (id === undefined || problem !== null || typeof number !== 'number') {
      session.say(failure(id, `hello: ${problem ?? 'id is missing'}`));
      session.close();
      return;
    }
    if (this.#current !== session) this.#current?.supersede();
    this.#current = session;
    this.#lastNumber = number;
    session.number = number;
    session.greet(
      [...this.#runs.all].map((run) => run.key),
      {
        event: 'hello',
        id,
        version: CONTRACT_VERSION,
        session: number,
        pid: process.pid,
        generation: this.#config.generation,
        descriptors: this.#runtime.descriptors(this.#connections()),
        parked: this.#runtime.parked(),
        draining: this.#draining,
        ...this.#runtime.left,
      },
    );
  }

  #connections(): number[] {
    return [...this.#sessions].flatMap(({ descriptor }) => (descriptor === null ? [] : [descriptor]));
  }

  #problemWithHello(version: unknown, number: unknown): string | null {
    if (version !== CONTRACT_VERSION) return `version ${version} is not ${CONTRACT_VERSION}`;
    if (typeof number !== 'number') return 'session is missing';
    if (number <= this.#lastNumber) return `session ${number} is not higher than ${this.#lastNumber}`;
    return null;
  }

  /** The direct answer, null when there is none. */
  #carryOut(session: Session, { op, id, fields }: RawRequest): ZygoteEvent | null {
    switch (op) {
      case 'start':
        return this.#start(id, fields);
      case 'ack':
        this.#runs.acknowledge(String(fields.key));
        this.#exitWhenDrained();
        return null;
      case 'drain':
        this.drain();
        return null;
    }
    if (!ASKING.includes(op)) return failure(id, `there is no request '${op}'`);
    if (id === undefined) return failure(id, `${op}: id is missing`);
    switch (op) {
      case 'signal':
        return this.#signal(id, fields);
      case 'cancel':
        return this.#cancel(id, fields);
      case 'stats':
        return { event: 'stats', id, parked: this.#runtime.parked(), ...this.#runs.counts, extra: {} };
      default:
        this.#runtime.probe((problem) => session.say(probed(id, problem)));
        return null;
    }
  }

  #start(id: number | undefined, fields: RawRequest['fields']): ZygoteEvent | null {
    const { key } = fields;
    if (typeof key !== 'string') return failure(id, 'start: key is missing');
    const start = isKey(key)
      ? this.#runtime.parseStart(key, fields)
      : 'key: expected 1 to 255 bytes without NUL';
    if (typeof start === 'string') return { event: 'refused', key, code: 'invalid', message: start };
    if (this.#draining && this.#runs.get(key) === undefined) {
      return { event: 'refused', key, code: 'draining', message: 'this zygote is draining' };
    }
    this.#runs.start(start);
    return null;
  }

  #signal(id: number, { key, signal }: RawRequest['fields']): ZygoteEvent {
    if (!isKey(key) || !isSignal(signal))
      return failure(id, 'signal: expected key and the number of a signal');
    return { event: 'signalled', id, key, ok: this.#runs.signal(key, signal) };
  }

  #cancel(id: number, { key, kill_after_ms, reason }: RawRequest['fields']): ZygoteEvent {
    if (!isKey(key) || !isMilliseconds(kill_after_ms) || typeof reason !== 'string') {
      return failure(id, 'cancel: expected key, kill_after_ms and reason');
    }
    return { event: 'signalled', id, key, ok: this.#runs.cancel(key, kill_after_ms, reason) };
  }

  #exitWhenDrained(): void {
    if (!this.#draining || this.#runs.size > 0) return;
    this.#current?.close();
    // The listening socket closes with the process; whoever connects then is refused by the system.
    process.exit(0);
  }
}

function failure(id: number | undefined, message: string): ZygoteEvent {
  return { event: 'error', ...(id === undefined ? {} : { id }), message };
}

function probed(id: number, problem: string | null): ZygoteEvent {
  return { event: 'probed', id, ok: problem === null, ...(problem === null ? {} : { message: problem }) };
}

function isSignal(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < SIGNALS;
}
