import { closeSync, readSync, writeSync } from 'node:fs';
import { socketpair } from '../../posix/index.ts';
import { after } from '../serving/index.ts';
import type { Forker } from './fork.ts';
import { type JobStart, PROBE } from './request.ts';

/** A message is whole or not there; more than this a socket need not hold (net.core.wmem_default), so larger runs are forked. */
const MOST_BYTES = 128 << 10;
/** After one died unasked, or a fork failed, the next is tried so much later. */
const PAUSE_MS = 1_000;

/** A process that has loaded the user's code and waits for a run on its end of a socket pair. */
export interface Waiting {
  readonly pid: number;
  /** Our end: closed when it has a run, or when it shall end. */
  readonly socket: number;
}

/** Makes processes for which nobody waits yet. */
export interface Spares {
  /** `made` is told of one that is ready to take a run, or why there is none. One at a time. */
  make(made: (child: Waiting | Error) => void): void;
  /** The one that is asked for and not there yet does not come. */
  cancel(): void;
}

/** Those that are ready for a run, the oldest first. They also die with the zygote (PR_SET_PDEATHSIG, in child.ts). */
export class Parking {
  /** By pid, the oldest first: our end. */
  readonly #parked = new Map<number, number>();
  readonly #places: number;
  readonly #spares: Spares;
  #state: 'unopened' | 'open' | 'pausing' | 'closed' = 'unopened';
  #making = false;

  constructor(places: number, spares: Spares) {
    this.#places = places;
    this.#spares = spares;
  }

  /** How many can be given a run by and by: none before it is open. */
  get count(): number {
    return this.#state === 'unopened' ? 0 : this.#parked.size;
  }

  has(pid: number): boolean {
    return this.#parked.has(pid);
  }

  /** Our ends. */
  get descriptors(): number[] {
    return [...this.#parked.values()];
  }

  /** Not before the probe: the daemon looks at our descriptors first, and refuses what it does not know. */
  open(): void {
    if (this.#state !== 'unopened') return;
    this.#state = 'open';
    this.#refill();
  }

  add({ pid, socket }: Waiting): void {
    this.#parked.set(pid, socket);
  }

  /** They end when their sockets do. */
  close(): void {
    this.#state = 'closed';
    this.#spares.cancel();
    this.abandon();
  }

  /** In a child: the other children's sockets are none of its business. */
  abandon(): void {
    for (const socket of this.#parked.values()) closeSync(socket);
    this.#parked.clear();
  }

  /** Gives the run to the oldest; null: nobody can take it. Before it is open, who is there is for the probe. */
  give(start: JobStart): number | null {
    if (this.#state === 'unopened' && start.class !== PROBE) return null;
    const line = Buffer.from(JSON.stringify(start));
    if (line.length > MOST_BYTES) return null;
    for (const [pid, socket] of this.#parked) {
      this.#parked.delete(pid);
      const given = send(socket, line);
      closeSync(socket);
      this.#refill();
      if (given) return pid;
    }
    return null;
  }

  /** One of them has died unasked. `false`: it was none of them. */
  reaped(pid: number): boolean {
    const socket = this.#parked.get(pid);
    if (socket === undefined) return false;
    this.#parked.delete(pid);
    closeSync(socket);
    this.#pause();
    return true;
  }

  #refill(): void {
    if (this.#state !== 'open' || this.#making || this.#parked.size >= this.#places) return;
    this.#making = true;
    this.#spares.make((child) => {
      this.#making = false;
      if (child instanceof Error) {
        this.#pause();
      } else {
        this.add(child);
        this.#refill();
      }
    });
  }

  #pause(): void {
    if (this.#state !== 'open') return;
    this.#state = 'pausing';
    after(PAUSE_MS, () => {
      if (this.#state !== 'pausing') return;
      this.#state = 'open';
      this.#refill();
    });
  }
}

/** @param inChild what a parked child does, from birth; gets its end */
export function forkedSpares(forker: Forker, inChild: (socket: number) => void): Spares {
  return {
    make: (made) => {
      let pair: readonly [ours: number, theirs: number] | null = null;
      forker.request('spare', {
        prepare: () => {
          pair = socketpair('seqpacket');
        },
        inChild: () => {
          if (pair === null) return;
          closeSync(pair[0]);
          inChild(pair[1]);
        },
        born: (child) => {
          const [ours, theirs] = pair ?? [];
          if (theirs !== undefined) closeSync(theirs);
          if (typeof child === 'number' && ours !== undefined) {
            made({ pid: child, socket: ours });
          } else {
            if (ours !== undefined) closeSync(ours);
            made(child instanceof Error ? child : new Error('there is no socket pair'));
          }
        },
      });
    },
    cancel: () => forker.cancelSpares(),
  };
}

/** EPIPE: the child has died and will be reaped. EMSGSIZE: a socket holds less here. */
function send(socket: number, line: Buffer): boolean {
  try {
    return writeSync(socket, line) === line.length;
  } catch {
    return false;
  }
}

const buffer = Buffer.allocUnsafeSlow(MOST_BYTES);

/** In a parked child: waits, without its event loop, for what it is to run. Null: there will be nothing. */
export function receive(socket: number): JobStart | null {
  const length = readSync(socket, buffer);
  return length === 0 ? null : JSON.parse(buffer.toString('utf8', 0, length));
}
