import { statfsSync } from 'node:fs';

/** How long a look at the file system holds. */
const HOLDS_MS = 1000;
/** So much more than the floor must be free before runs are let in again. */
const RELIEF = 1.05;

/** Bytes that are free on the file system of this path for whoever is not root: `f_bavail`, statvfs(3). */
export function freeBytes(path: string): number {
  const stats = statfsSync(path);
  return stats.bavail * stats.bsize;
}

/**
 * Whether the disk has room for a new run: not below the floor, and after that not until 5% more than the floor are
 * free, so that it does not flap with every log line. A floor of 0 always allows.
 */
export class DiskFloor {
  readonly #floorBytes: number;
  readonly #free: () => number;
  readonly #nowMs: () => number;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #state: 'room' | 'full' = 'room';

  constructor(floorBytes: number, free: () => number, nowMs: () => number) {
    this.#floorBytes = floorBytes;
    this.#free = free;
    this.#nowMs = nowMs;
  }

  /** Throws what statfs(2) says when the folder is gone: whoever asks answers `state_unwritable`. */
  allows(): boolean {
    if (this.#floorBytes <= 0) return true;
    const now = this.#nowMs();
    // Also when the clock was set back.
    if (Math.abs(now - this.#lookedMs) >= HOLDS_MS) {
      const free = this.#free();
      this.#lookedMs = now;
      const needed = this.#state === 'full' ? this.#floorBytes * RELIEF : this.#floorBytes;
      this.#state = free >= needed ? 'room' : 'full';
    }
    return this.#state === 'room';
  }
}
