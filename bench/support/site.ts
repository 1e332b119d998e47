import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { publish } from './published.ts';

/** Debian's www-data, which the daemon's pools run as when it runs as root. */
const POOL_UID = 33;

/**
 * Where everything that is measured writes to: below TMPDIR, else below /var/tmp, which is on a disk where /tmp may be
 * memory. Nothing in it is removed before the end, because ext4 without a journal does not use the inodes of deleted
 * files for minutes: each new file then looks at all of them (find_inode_bit() in fs/ext4/ialloc.c), at 10 to 40 times
 * its normal price.
 */
export class Site implements AsyncDisposable {
  readonly folder = mkdtempSync(path.join(process.env.TMPDIR ?? '/var/tmp', 'rocksy-bench-'));
  readonly #leftovers = new AsyncDisposableStack();
  #count = 0;
  #program: string | null = null;

  constructor() {
    // Each folder in it gets a part of the disk of its own, away from what others have deleted: chattr(1), T. Where the
    // file system has no such thing, the measured price of a file shows whether it matters.
    spawnSync('chattr', ['+T', this.folder]);
    this.#open(this.folder);
    // The daemons of test/support make their folders in here.
    process.env.TMPDIR = this.folder;
  }

  /** A new folder for runs that end up as the pool's user. */
  forPool(): string {
    return this.#open(this.forUs());
  }

  /** A new folder for runs as ourselves: a cache that somebody else can write to is never loaded. */
  forUs(): string {
    const folder = path.join(this.folder, String(++this.#count));
    mkdirSync(folder);
    return folder;
  }

  /** The `rocksyd` that is measured: that of the published package. */
  get program(): string {
    this.#program ??= publish(path.join(this.folder, 'package'));
    return this.#program;
  }

  /** The `rocksy` beside it. */
  get command(): string {
    return path.join(path.dirname(this.program), 'rocksy.cjs');
  }

  /** What is disposed of at the very end. */
  keep<T extends AsyncDisposable>(leftover: T): T {
    return this.#leftovers.use(leftover);
  }

  #open(folder: string): string {
    if (process.getuid?.() === 0) chownSync(folder, POOL_UID, POOL_UID);
    return folder;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#leftovers.disposeAsync();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
