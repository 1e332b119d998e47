import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { DocumentError, readText } from '../../document/index.ts';
import { RocksyError } from '../../wire/index.ts';
import { type Config, parseConfig } from '../config/index.ts';
import type { OnFailedStart, Pool } from '../pools/index.ts';
import { Files } from './files.ts';
import { PoolWatch } from './pool-watch.ts';
import { realPath } from './sources.ts';
import { indented } from './words.ts';

const LOOK_MS = 1_000;
/** As long as an editor may take to have written all. */
const QUIET_MS = 100;

export interface Watchable {
  readonly config: Config;
  readonly log: Logger;
  /** Takes the configuration up as it is now; rejects with a RocksyError when that is refused. */
  readonly restart: () => Promise<never>;
}

/** The pools of a daemon, and its configuration, followed as their files change. */
export class Watch implements Disposable {
  readonly #watchable: Watchable;
  readonly #pools = new Map<string, PoolWatch>();
  #configuration: Files | null = null;
  #looking: NodeJS.Timeout | null = null;
  /** The configuration's file, by all its names. */
  readonly #paths: ReadonlySet<string>;
  #text = '';
  #changes = 0;

  constructor(watchable: Watchable) {
    const { path } = watchable.config;
    this.#watchable = watchable;
    this.#paths = new Set([path, realPath(path) ?? path]);
  }

  /** A pool that can't start waits for somebody to mend it: nothing changes by trying again. */
  readonly onFailedStart: OnFailedStart = (pool, failure) => {
    this.#watchOf(pool).broken(failure);
    return 'leave_it';
  };

  /** To be called when the pools have begun to start: what changes from then on counts. */
  start(pools: readonly Pool[]): void {
    const { config } = this.#watchable;
    const warm = pools
      .filter(({ config: { runtime } }) => runtime !== 'command')
      .map((pool) => this.#watchOf(pool));
    for (const pool of warm) void pool.open();
    this.#looking = setInterval(() => {
      for (const pool of warm) pool.look();
    }, LOOK_MS).unref();
    this.#text = readText(config.path);
    this.#configuration = new Files([...this.#paths], () => void this.#reconfigure());
  }

  [Symbol.dispose](): void {
    if (this.#looking !== null) clearInterval(this.#looking);
    this.#configuration?.[Symbol.dispose]();
    for (const pool of this.#pools.values()) pool[Symbol.dispose]();
  }

  #watchOf(pool: Pool): PoolWatch {
    const known = this.#pools.get(pool.name);
    if (known !== undefined) return known;
    const { config, log } = this.#watchable;
    const state = realPath(config.state) ?? config.state;
    const made = new PoolWatch({ pool, dir: config.dir, configuration: this.#paths, state, log });
    this.#pools.set(pool.name, made);
    return made;
  }

  async #reconfigure(): Promise<void> {
    const change = ++this.#changes;
    await wait(QUIET_MS, undefined, { ref: false });
    if (change !== this.#changes) return;
    const { config, log, restart } = this.#watchable;
    try {
      const text = readText(config.path);
      if (text === this.#text) return;
      this.#text = text;
      parseConfig(text, config.path);
      log.info('the configuration has changed');
      await restart();
    } catch (error) {
      const known = error instanceof DocumentError || error instanceof RocksyError;
      if (!known) throw error;
      const reason =
        error instanceof DocumentError ? error.format() : `${error.output ?? ''}\n${error.message}`;
      log.error(`the configuration of before stays in force\n${indented(reason)}`);
    }
  }
}
