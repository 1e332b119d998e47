import fs from 'node:fs';
import path from 'node:path';
import type { Logger } from 'pino';
import { RocksyError } from '../../wire/index.ts';
import type { Pool } from '../pools/index.ts';
import { Files } from './files.ts';
import { type Loads, Reloads } from './reloads.ts';
import { isBelow, isEntered, isSource, type Sources, sourcesOf } from './sources.ts';
import { type Change, Tree } from './tree.ts';
import { changes, fails, serves } from './words.ts';

/** One pool whose code is loaded anew as its files change. */
export class PoolWatch implements Disposable, Loads {
  readonly #pool: Pool;
  readonly #dir: string;
  /** The daemon's own, which it writes to all the time. */
  readonly #state: string;
  readonly #log: Logger;
  readonly #reloads = new Reloads(this);
  readonly #begunMs = Date.now();
  #identity = '';
  #watched: Disposable[] = [];
  #code: 'well' | 'broken' = 'well';

  /** @param dir the folder of the configuration */
  constructor(pool: Pool, dir: string, state: string, log: Logger) {
    this.#pool = pool;
    this.#dir = dir;
    this.#state = state;
    this.#log = log;
  }

  /** What has changed since the code was loaded that serves counts: nobody may have watched then. */
  async open(): Promise<void> {
    const newest = await this.#watch();
    const sinceMs = this.#pool.codeSinceMs ?? this.#begunMs;
    if (newest !== null && newest.ms > sinceMs) this.#reloads.changed(newest.file);
  }

  /**
   * A watch stays with the folder that it was set on. That a release link leads to another one, or that a folder was
   * deleted and made again, is seen only by looking.
   */
  look(): void {
    const sources = sourcesOf(this.#pool.config, this.#dir);
    // Nothing is there at the moment: it is being replaced.
    if (sources.roots.length === 0 || identityOf(sources) === this.#identity) return;
    void this.#watch();
    this.#reloads.changed(sources.files[0] ?? this.#dir);
  }

  async #watch(): Promise<Change | null> {
    for (const each of this.#watched) each[Symbol.dispose]();
    const { config } = this.#pool;
    const sources = sourcesOf(config, this.#dir);
    this.#identity = identityOf(sources);
    const changed = (file: string): void => this.#reloads.changed(file);
    const tree = new Tree({
      roots: sources.roots,
      isEntered: (folder, root) =>
        folder !== this.#state && !isBelow(folder, this.#state) && isEntered(folder, root),
      isSource: (name) => isSource(name, config.runtime),
      changed,
      failed: (message) => this.#log.warn(`${this.#pool.name}: ${message}`),
    });
    this.#watched = [tree, new Files(sources.files, changed)];
    const newest = await tree.open();
    const where = sources.roots.join(', ');
    this.#log.info(`${this.#pool.name}: watching ${tree.size} folder${tree.size === 1 ? '' : 's'}, ${where}`);
    return newest;
  }

  [Symbol.dispose](): void {
    this.#reloads.close();
    for (const each of this.#watched) each[Symbol.dispose]();
  }

  /** The pool could not be started, and nobody has asked for it who would be told. */
  broken(failure: RocksyError): void {
    this.#code = 'broken';
    this.#log.error(fails(this.#pool.name, failure, this.#pool.servingNumber));
  }

  get isLoading(): boolean {
    return this.#pool.isStarting;
  }

  async loaded(): Promise<boolean> {
    await this.#pool.started();
    return this.#pool.view().problem === null;
  }

  async reload(files: readonly string[]): Promise<boolean> {
    this.#log.info(changes(this.#pool.name, files, this.#dir));
    try {
      const generation = await this.#pool.reload();
      this.#log.info(serves(this.#pool.name, generation, this.#code));
      this.#code = 'well';
      return true;
    } catch (error) {
      if (!(error instanceof RocksyError)) throw error;
      if (error.code !== 'stopping') this.broken(error);
      return false;
    }
  }

  holdRuns(on: boolean): void {
    this.#pool.holdRuns(on);
  }

  writesItself(files: readonly string[]): void {
    const names = files.map((file) => path.relative(this.#dir, file)).join(', ');
    this.#log.warn(
      `${this.#pool.name}: ${names} changed during each of several loads in a row, so it seems that the bootstrap writes it: ` +
        'its changes are passed over while code is loaded (a folder such as var or tmp at the top is not watched at all)',
    );
  }
}

/** Which folders are watched, and not only by which paths they are reached. */
function identityOf({ roots, files }: Sources): string {
  const folders = [...roots, ...files.map((file) => path.dirname(file))];
  return JSON.stringify([files, folders.map((folder) => [folder, inodeOf(folder)])]);
}

function inodeOf(folder: string): number | null {
  return fs.statSync(folder, { throwIfNoEntry: false })?.ino ?? null;
}
