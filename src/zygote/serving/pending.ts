import { readSync } from 'node:fs';

/** One for all, so that reading leaves no garbage outside V8's heap. It is free again before a chunk is handed over. */
const buffer = Buffer.allocUnsafeSlow(65_536);

/**
 * Reads what waits on a non-blocking socket that the event loop owns, now and to the end, without the loop's help. Node
 * holds nothing back meanwhile: it gives a chunk to the 'data' listener of a flowing socket as soon as it is read.
 */
export function readPending(fd: number, take: (chunk: Buffer) => void): void {
  for (;;) {
    let count: number;
    try {
      count = readSync(fd, buffer);
    } catch {
      return; // EAGAIN: that was all. ECONNRESET: the other side is gone, and comes after all that it has sent.
    }
    if (count === 0) return;
    take(Buffer.from(buffer.subarray(0, count)));
  }
}
