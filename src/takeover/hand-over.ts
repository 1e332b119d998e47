// The predecessor's part of a takeover: connections are passed while it serves, then it stands still, hands over and
// leaves; or goes on as if nothing had been.
import { once } from 'node:events';
import { closeSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { exitNow, MAX_DESCRIPTORS, memfd } from '../posix/index.ts';
import { DISPATCH_VERSION, dispatch, hearAdopted, PeerGone, type ToSuccessor } from './dispatches.ts';
import { descriptorOf } from './sockets.ts';

/** What an application hands over. None of the calls may throw but for reasons that are to prevent the takeover. */
export interface Estate {
  /** The connections that go over, each by a number that it keeps. Called several times in each takeover. */
  connections(): Iterable<readonly [id: number, socket: Socket]>;
  /** What the heir is told of a connection together with its socket: JSON, 200 bytes at most. */
  describe?(id: number): unknown;
  /** Waits, while everybody is served, until `quiesce` can be expected to be short. As with it, a rejection is a refusal. */
  settle?(signal: AbortSignal): Promise<void>;
  /**
   * Begins nothing new, and resolves when what was begun has come to a point from which the successor can go on.
   * Rejects when that takes too long, or with the signal's reason; `resume` is called then.
   */
  quiesce(signal: AbortSignal): Promise<void>;
  /**
   * The state as bytes. Called for rehearsals, and a last time when nothing can change any more. Must not change
   * anything itself that could not stay so.
   */
  state(): Uint8Array;
  /** There is no takeover after all: begins new things again. Called also when `quiesce` was not. */
  resume(): void;
  /** Called at each named step; tests end the process there. */
  step?(name: HandOverStep): void;
}

export type HandOverStep = 'introduced' | 'passed' | 'rehearsed' | 'quiesced' | 'frozen' | 'adopted';

export interface Introduction {
  /** A seqpacket socket: descriptors and what is said of them. */
  readonly dispatches: number;
  /** A stream socket: the successor's acknowledgements, and its end. */
  readonly answers: number;
  /** The sockets that this process listens on, with others. */
  readonly listeners: readonly number[];
  readonly timeoutMs: number;
}

type Batch = readonly (readonly [id: number, socket: Socket])[];

const BATCH = 100;
/** So few newcomers are not worth another turn: they are passed when everything stands still. */
const FEW = 50;
const REHEARSALS = 3;
/** What the predecessor stays for after the commit. */
const LINGER_MS = 100;
/** Standing still is given up after so many times what the slowest rehearsal took, within bounds. */
const PATIENCE = 20;
const MIN_PATIENCE_MS = 200;
const MAX_PATIENCE_MS = 2_000;

/**
 * Hands everything over and ends this process; returns where that did not come about, and it serves on.
 * @param failed is told why, before the successor can see that it is over: its end says less
 */
export async function handOver(
  estate: Estate,
  introduction: Introduction,
  failed: (reason: Error) => void,
): Promise<void> {
  const passing = new HandOver(estate, introduction);
  try {
    await passing.run();
  } catch (error) {
    // What an aborted wait says of itself is no reason.
    failed(passing.calledOff ?? (error as Error));
    passing.thaw();
  }
}

class HandOver {
  readonly #estate: Estate;
  readonly #dispatches: number;
  readonly #answers: Socket;
  readonly #listeners: readonly number[];
  readonly #memory = memfd('takeover', '');
  readonly #passed = new Map<number, () => void>();
  /** Connections that ended before there was room to say so. */
  #gone: number[] = [];
  #acknowledged = 0;
  #awaited = 0;
  readonly #end = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #slowestMs = 0;

  constructor(estate: Estate, { dispatches, answers, listeners, timeoutMs }: Introduction) {
    this.#estate = estate;
    this.#dispatches = dispatches;
    this.#listeners = listeners;
    this.#answers = new Socket({ fd: answers, readable: true, writable: false });
    this.#answers.on('data', (bytes: Buffer) => {
      this.#acknowledged += bytes.length;
      this.#answers.emit('acknowledged');
    });
    this.#answers.on('error', () => this.#answers.destroy());
    this.#answers.on('close', () => this.#end.abort(new PeerGone()));
    this.#timer = setTimeout(
      () => this.#end.abort(new Error(`the hand-over was not done within ${timeoutMs} ms`)),
      timeoutMs,
    );
  }

  /** Why it was called off from outside: the successor is gone, or it took too long. */
  get calledOff(): Error | undefined {
    return this.#end.signal.reason as Error | undefined;
  }

  async run(): Promise<never> {
    const begunMs = performance.now();
    this.#estate.step?.('introduced');
    await this.#say({ kind: 'memory', version: DISPATCH_VERSION }, [this.#memory]);
    for (let rest = this.#unpassed(); rest.length > FEW; rest = this.#unpassed()) {
      await this.#pass(rest.slice(0, BATCH));
    }
    this.#estate.step?.('passed');
    for (let i = 0; i < REHEARSALS; i++) await this.#rehearse();
    this.#estate.step?.('rehearsed');
    await this.#estate.settle?.(this.#end.signal);
    this.#end.signal.throwIfAborted();
    const prepareMs = performance.now() - begunMs;
    const stalledSinceMs = Number(process.hrtime.bigint()) / 1e6;
    const quiescingMs = performance.now();
    await this.#estate.quiesce(this.#end.signal);
    this.#end.signal.throwIfAborted();
    this.#estate.step?.('quiesced');
    return this.#freeze({ prepareMs, quiesceMs: performance.now() - quiescingMs, stalledSinceMs });
  }

  /**
   * From here on this turn of the event loop does not end: nothing is read, accepted or written. To thaw is to return.
   * Every message finds room or the takeover is off: the successor has nothing left to read before these.
   */
  #freeze(before: { prepareMs: number; quiesceMs: number; stalledSinceMs: number }): never {
    const frozenMs = performance.now();
    for (let rest = this.#unpassed(); rest.length > 0; rest = this.#unpassed()) {
      const batch = rest.slice(0, MAX_DESCRIPTORS);
      this.#now(this.#connections(batch), descriptorsOf(batch));
      this.#note(batch);
    }
    const bytes = this.#writeState();
    this.#now({ kind: 'frozen', bytes });
    const handedMs = performance.now();
    this.#estate.step?.('frozen');
    this.#awaitAdoption();
    this.#estate.step?.('adopted');
    const timing = {
      ...before,
      connections: this.#passed.size,
      stateBytes: bytes,
      freezeMs: handedMs - frozenMs,
      adoptMs: performance.now() - handedMs,
    };
    this.#now({ kind: 'commit', timing });
    // Not a word more, not even to the log: everything belongs to the successor.
    return this.#leave();
  }

  /**
   * To take a process apart costs the kernel some 20 ms of CPU: that has to wait until the successor has served who
   * waits. A socket is closed with its last descriptor, so those that others want to close go at once.
   */
  #leave(): never {
    try {
      const connections = [...this.#estate.connections()].map(([, socket]) => descriptorOf(socket));
      for (const fd of [...connections, ...this.#listeners]) if (fd !== null) closeSync(fd);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LINGER_MS);
    } finally {
      // Whatever happens here: there is no way back.
      exitNow(0);
    }
  }

  #awaitAdoption(): void {
    const patienceMs = Math.min(Math.max(MIN_PATIENCE_MS, PATIENCE * this.#slowestMs), MAX_PATIENCE_MS);
    if (hearAdopted(this.#dispatches, patienceMs)) return;
    throw new Error(`the successor had not adopted the state within ${Math.round(patienceMs)} ms`);
  }

  /** It goes on here: the successor is told, and if it can't be, it is killed all the same by whoever hears of the refusal. */
  thaw(): void {
    clearTimeout(this.#timer);
    try {
      dispatch(this.#dispatches, { kind: 'thaw' });
    } catch (error) {
      if (!(error instanceof PeerGone)) throw error;
    } finally {
      for (const forget of this.#passed.values()) forget();
      this.#answers.removeAllListeners('close').destroy();
      closeSync(this.#dispatches);
      closeSync(this.#memory);
      this.#estate.resume();
    }
  }

  #unpassed(): Batch {
    const unpassed: (readonly [number, Socket])[] = [];
    for (const each of this.#estate.connections()) {
      if (!this.#passed.has(each[0]) && descriptorOf(each[1]) !== null) unpassed.push(each);
    }
    return unpassed;
  }

  async #pass(batch: Batch): Promise<void> {
    const sent = this.#say(this.#connections(batch), descriptorsOf(batch));
    this.#note(batch);
    await sent;
  }

  #connections(batch: Batch): ToSuccessor {
    const ids = batch.map(([id]) => id);
    return { kind: 'connections', ids, descriptions: ids.map((id) => this.#estate.describe?.(id) ?? null) };
  }

  /** The kernel ends a connection with its last descriptor: when one is over here, the successor has to close its own. */
  #note(batch: Batch): void {
    for (const [id, socket] of batch) {
      const over = (): void => {
        this.#passed.delete(id);
        this.#gone.push(id);
        this.#sayGone();
      };
      socket.once('close', over);
      this.#passed.set(id, () => socket.off('close', over));
    }
  }

  #sayGone(): void {
    try {
      if (dispatch(this.#dispatches, { kind: 'gone', ids: this.#gone })) this.#gone = [];
    } catch (error) {
      if (!(error instanceof PeerGone)) throw error;
      // The end of `answers` tells the same.
    }
  }

  async #rehearse(): Promise<void> {
    const begunMs = performance.now();
    await this.#say({ kind: 'rehearsal', bytes: this.#writeState() });
    this.#slowestMs = Math.max(this.#slowestMs, performance.now() - begunMs);
  }

  #writeState(): number {
    const state = this.#estate.state();
    for (let at = 0; at < state.length; ) at += writeSync(this.#memory, state, at, state.length - at, at);
    return state.length;
  }

  /** Says something and waits until the successor has dealt with it, so that little is under way at any time. */
  async #say(
    ...message: Parameters<typeof dispatch> extends [number, ...infer Rest] ? Rest : never
  ): Promise<void> {
    const { signal } = this.#end;
    signal.throwIfAborted();
    if (!dispatch(this.#dispatches, ...message)) throw new Error('the successor does not read');
    this.#awaited++;
    while (this.#acknowledged < this.#awaited) await once(this.#answers, 'acknowledged', { signal });
    if (this.#gone.length > 0) this.#sayGone();
  }

  #now(...message: Parameters<typeof dispatch> extends [number, ...infer Rest] ? Rest : never): void {
    if (!dispatch(this.#dispatches, ...message)) throw new Error('the successor does not read');
  }
}

function descriptorsOf(batch: Batch): number[] {
  return batch.map(([, socket]) => descriptorOf(socket) ?? -1);
}
