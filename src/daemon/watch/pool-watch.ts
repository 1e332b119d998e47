import path from 'node:path';
import type { Logger } from 'pino';
import { RocksyError } from '../../wire/index.ts';
import type { Pool } from '../pools/index.ts';
import { Files } from './files.ts';
import { type Loads, Reloads } from './reloads.ts';
import { isBelow, isEntered, isSource, type Sources, sourcesOf } from './sources.ts';
import { type Change, folderIdentity, Tree } from './tree.ts';
import { changes, fails, serves } from './words.ts';

export interface PoolWatchOptions {
  readonly pool: Pool;
  /** The folder of the configuration. */
  readonly dir: string;
  /** By all its names. A change of it is not one of code. */
  readonly configuration: ReadonlySet<string>;
  /** The daemon's own folder, which it writes to all the time. */
  readonly state: string;
  readonly log: Logger;
}

/** One pool whose code is loaded anew as its files change. */
export class PoolWatch implements Disposable, Loads {
  readonly #options: PoolWatchOptions;
  readonly #pool: Pool;
  readonly #reloads = new Reloads(this);
  readonly #begunMs = Date.now();
  #identity = '';
  #watched: Disposable[] = [];
  #code: 'well' | 'broken' = 'well';

  constructor(options: PoolWatchOptions) {
    this.#options = options;
    this.#pool = options.pool;
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
    const sources = sourcesOf(this.#pool.config, this.#options.dir);
    // Nothing is there at the moment: it is being replaced.
    if (sources.roots.length === 0 || identityOf(sources) === this.#identity) return;
    void this.#watch();
    this.#reloads.changed(sources.files[0] ?? this.#options.dir);
  }

  async #watch(): Promise<Change | null> {
    for (const each of this.#watched) each[Symbol.dispose]();
    const { state, configuration, log } = this.#options;
    const { config, name: pool } = this.#pool;
    const sources = sourcesOf(config, this.#options.dir);
    this.#identity = identityOf(sources);
    const changed = (file: string): void => this.#reloads.changed(file);
    const tree = new Tree({
      roots: sources.roots,
      isEntered: (folder, root) => folder !== state && !isBelow(folder, state) && isEntered(folder, root),
      isSource: (file) => !configuration.has(file) && isSource(path.basename(file), config.runtime),
      changed,
      failed: (message) => log.warn(`${pool}: ${message}`),
    });
    this.#watched = [tree, new Files(sources.files, changed)];
    const newest = await tree.open();
    const where = sources.roots.join(', ');
    log.info(`${pool}: watching ${tree.size} folder${tree.size === 1 ? '' : 's'}, ${where}`);
    return newest;
  }

  [Symbol.dispose](): void {
    this.#reloads.close();
    for (const each of this.#watched) each[Symbol.dispose]();
  }

  /** The pool could not be started, and nobody has asked for it who would be told. */
  broken(failure: RocksyError): void {
    this.#code = 'broken';
    this.#options.log.error(fails(this.#pool.name, failure, this.#pool.servingNumber));
  }

  get isLoading(): boolean {
    return this.#pool.isStarting;
  }

  async loaded(): Promise<boolean> {
    await this.#pool.started();
    return this.#pool.problem === null;
  }

  async reload(files: readonly string[]): Promise<boolean> {
    this.#options.log.info(changes(this.#pool.name, files, this.#options.dir));
    try {
      const generation = await this.#pool.reload();
      this.#options.log.info(serves(this.#pool.name, generation, this.#code));
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
    const names = files.map((file) => path.relative(this.#options.dir, file)).join(', ');
    this.#options.log.warn(
      `${this.#pool.name}: ${names} changed during each of several loads in a row, so it seems that the bootstrap writes it: ` +
        'its changes are passed over while code is loaded (a folder such as var or tmp at the top is not watched at all)',
    );
  }
}

/** Which folders are watched, and not only by which paths they are reached. */
function identityOf({ roots, files }: Sources): string {
  const folders = [...roots, ...files.map((file) => path.dirname(file))];
  return JSON.stringify([files, folders.map((folder) => [folder, folderIdentity(folder)])]);
}
