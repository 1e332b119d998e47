// A file system of a few MiB, for tests that fill it up.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const BLOCK = Buffer.alloc(64 << 10);

export class SmallDisk implements Disposable {
  readonly path: string;

  /** Mounts it. Throws where that is not permitted: only root may, and not in every container. */
  constructor(mebibytes: number) {
    this.path = fs.mkdtempSync(path.join(os.tmpdir(), 'rocksy-disk-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=711`, 'tmpfs', this.path]);
    } catch (cause) {
      fs.rmdirSync(this.path);
      throw new Error('This test mounts a tmpfs, which is not permitted here: run it as root', { cause });
    }
  }

  get #ballast(): string {
    return path.join(this.path, 'ballast');
  }

  /** Takes all the space that is left, but for so many bytes. */
  fill(leftBytes = 0): void {
    const file = fs.openSync(this.#ballast, 'a');
    try {
      for (;;) {
        const { bavail, bsize } = fs.statfsSync(this.path);
        const room = bavail * bsize - leftBytes;
        if (room <= 0) return;
        fs.writeSync(file, BLOCK.subarray(0, Math.min(room, BLOCK.length)));
      }
    } catch (error) {
      // Somebody else took the rest.
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      fs.closeSync(file);
    }
  }

  /** Gives back what `fill` took. */
  clear(): void {
    fs.rmSync(this.#ballast, { force: true });
  }

  /** From now on nothing can be written to it. */
  freeze(): void {
    execFileSync('mount', ['-o', 'remount,ro', this.path]);
  }

  [Symbol.dispose](): void {
    // Lazily: a process that is about to end may still stand in it.
    execFileSync('umount', ['-l', this.path]);
    fs.rmdirSync(this.path);
  }
}
