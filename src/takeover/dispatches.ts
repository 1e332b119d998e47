// What predecessor and successor say to each other: messages of a seqpacket socket, a kind and what belongs to it.
import { isPosixError, isReadable, receiveDescriptors, sendDescriptors } from '../posix/index.ts';

/** Raised when an old and a new release can no longer understand each other here; added kinds alone don't raise it. */
export const DISPATCH_VERSION = 1;

/** From the predecessor. Connections go by numbers that it has given them. */
export type ToSuccessor =
  /** First of all, with the memfd in which states will lie. */
  | { readonly kind: 'memory'; readonly version: number }
  /** One descriptor for each connection, and what the application says of it. */
  | {
      readonly kind: 'connections';
      readonly ids: readonly number[];
      readonly descriptions: readonly unknown[];
    }
  /** Connections that are over; it has them no longer. */
  | { readonly kind: 'gone'; readonly ids: readonly number[] }
  /** The state as it is at the moment lies in the memory: so many bytes. Nothing is meant by it. */
  | { readonly kind: 'rehearsal'; readonly bytes: number }
  /** The state, and from now on it does not change. */
  | { readonly kind: 'frozen'; readonly bytes: number }
  /** All is the successor's. */
  | { readonly kind: 'commit'; readonly timing: HandOverTiming }
  /** Nothing is the successor's, and nothing will be. */
  | { readonly kind: 'thaw' };

/** How long the predecessor's part took, in ms, and how much it was. */
export interface HandOverTiming {
  readonly connections: number;
  readonly stateBytes: number;
  /** Passing the connections and rehearsing, while everybody was served. */
  readonly prepareMs: number;
  /** Letting short work end: nothing new was begun. */
  readonly quiesceMs: number;
  /** Passing newcomers and writing the state, frozen. */
  readonly freezeMs: number;
  /** Waiting for the successor to adopt it, frozen. */
  readonly adoptMs: number;
  /** When newcomers and requests began to wait, on the clock of process.hrtime(), in ms. */
  readonly stalledSinceMs: number;
}

export type Received = ToSuccessor & { readonly fds: readonly number[] };

const encode = (message: ToSuccessor): Buffer => Buffer.from(JSON.stringify(message));

/** False: there is no room for it now. Throws PeerGone. */
export function dispatch(socket: number, message: ToSuccessor, fds: readonly number[] = []): boolean {
  try {
    return sendDescriptors(socket, encode(message), fds);
  } catch (error) {
    throw isGone(error) ? new PeerGone() : error;
  }
}

/** Waits for the next message, and nothing else happens in this process meanwhile. Null: the predecessor is gone. */
export function receive(socket: number): Received | null {
  try {
    const received = receiveDescriptors(socket);
    if (received === null) return null;
    return { ...(JSON.parse(received.data.toString()) as ToSuccessor), fds: received.fds };
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

/** The successor's one word: it has adopted the state. Says nothing where the predecessor is gone, which receive() tells. */
export function sayAdopted(socket: number): void {
  try {
    sendDescriptors(socket, Buffer.from('adopted'), []);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** Waits for that word, and nothing else happens in this process meanwhile; false: not within `ms`. Throws PeerGone. */
export function hearAdopted(socket: number, ms: number): boolean {
  if (!isReadable(socket, ms)) return false;
  try {
    if (receiveDescriptors(socket) !== null) return true;
  } catch (error) {
    if (!isGone(error)) throw error;
  }
  throw new PeerGone();
}

/** The other side of a takeover has died. */
export class PeerGone extends Error {
  override readonly name = 'PeerGone';

  constructor() {
    super('the other side of the takeover is gone');
  }
}

function isGone(error: unknown): boolean {
  return isPosixError(error, 'EPIPE', 'ECONNRESET');
}
