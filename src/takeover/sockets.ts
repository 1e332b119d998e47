// What of a net.Socket can be handed over, and what it is made of again on the other side.
import { Socket } from 'node:net';

/** libuv's side of a socket; Node does not document it, and a test of ours notices when it changes. */
interface Handle {
  readonly fd: number;
  /** Bytes of the write in flight that the kernel has not taken. `bytesWritten` and `writableLength` count at once. */
  readonly writeQueueSize: number;
}

function handleOf(socket: Socket): Handle | null {
  return (socket as unknown as { readonly _handle: Handle | null })._handle;
}

/** The descriptor of an open socket; null once it is closed. */
export function descriptorOf(socket: Socket): number | null {
  const fd = handleOf(socket)?.fd ?? -1;
  return fd < 0 ? null : fd;
}

/**
 * How many bytes at the end of the write in flight have not left. Right only where one write is in flight at a time:
 * the next one is made when the callback of the former was called.
 */
export function unsentBytes(socket: Socket): number {
  return handleOf(socket)?.writeQueueSize ?? 0;
}

/**
 * Bytes that Node has read of a paused socket and not given out. The caller has to keep them, or whoever listens to
 * 'data', which tells of them while this call lasts, and not again.
 */
export function takeUnread(socket: Socket): Buffer[] {
  const pieces: Buffer[] = [];
  while (socket.readableLength > 0) {
    const piece = socket.read() as Buffer | null;
    if (piece === null) break;
    pieces.push(piece);
  }
  return pieces;
}

/** A socket for a descriptor that was passed on. It reads nothing until `resume()`, whoever listens to 'data'. */
export function adoptSocket(fd: number): Socket {
  const options = { fd, readable: true, writable: true, allowHalfOpen: true, manualStart: true };
  return new Socket(options).pause();
}
