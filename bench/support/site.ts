import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '../..');
export const BOOTSTRAP = path.join(ROOT, 'bench/app/bootstrap.php');
export const AUTOLOAD = path.join(ROOT, 'bench/app/autoload.php');
export const COLD = path.join(ROOT, 'examples/symfony/cold.php');

/** Debian's www-data, which the daemon's pools run as when it runs as root. */
const POOL_UID = 33;

/** opcache for the command line, as the zygote has it, for those that are compared with it. */
export const OPCACHE = ['-d', 'opcache.enable_cli=1', '-d', 'opcache.validate_timestamps=0'];

/** Folders that whoever runs the measured code may write to. Removed at the end. */
export class Site implements Disposable {
  readonly folder = mkdtempSync(path.join(os.tmpdir(), 'rocksy-bench-'));
  #count = 0;

  constructor() {
    mkdirSync(this.folder, { recursive: true });
    this.#open(this.folder);
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

  #open(folder: string): string {
    if (process.getuid?.() === 0) chownSync(folder, POOL_UID, POOL_UID);
    return folder;
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** php's arguments for a cold run: the very script of the example, which finds the measured classes by a prepended file. */
export function coldArguments(fileCache: string | null): string[] {
  const cache =
    fileCache === null
      ? []
      : ['opcache.enable_cli=1', 'opcache.file_cache_only=1', `opcache.file_cache=${fileCache}`];
  return [...cache, `auto_prepend_file=${AUTOLOAD}`].flatMap((setting) => ['-d', setting]).concat(COLD);
}
