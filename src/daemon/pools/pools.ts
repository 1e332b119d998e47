import fs from 'node:fs';
import path from 'node:path';
import type { Logger } from 'pino';
import { type PoolView, RocksyError } from '../../wire/index.ts';
import type { Config, PoolConfig } from '../config/index.ts';
import type { Mask } from '../logs/index.ts';
import { assertOwn } from './folder.ts';
import { type OnFailedStart, Pool, type PoolListener } from './pool.ts';

const RETIRED: Omit<PoolConfig, 'name'> = {
  runtime: 'command',
  bootstrap: null,
  jobs: null,
  prefork: 0,
  user: null,
  group: null,
  nice: 0,
  rlimits: new Map(),
  interpreter: null,
  fork: false,
  args: [],
  env: new Map(),
  envFiles: [],
  secrets: new Map(),
  allowEnv: [],
  maxRunning: 0,
  queue: 0,
  maxAgeMs: null,
  maxMemoryBytes: null,
  bootTimeoutMs: 1,
  claimTimeoutMs: 1,
  timeoutMs: null,
  killAfterMs: 5000,
  leaveChildren: true,
  allow: [],
};

/** All pools: those of the configuration, and those of a former one whose zygotes still have runs. */
export class Pools {
  readonly #pools = new Map<string, Pool>();
  readonly #retired = new Map<string, Pool>();
  readonly #default: string;

  /** @param mask hides what the pools' secrets are */
  constructor(
    config: Config,
    log: Logger,
    mask: Mask,
    nextSession: () => Promise<number>,
    listener: PoolListener,
    onFailedStart: OnFailedStart,
  ) {
    this.#default = config.defaultPool;
    const options = { state: config.state, cwd: config.dir, log, mask, nextSession, listener, onFailedStart };
    assertOwn(config.state);
    assertOwn(path.join(config.state, 'pools'));
    for (const pool of config.pools.values())
      this.#pools.set(pool.name, new Pool({ ...options, config: pool }));
    for (const name of fs.readdirSync(path.join(config.state, 'pools'))) {
      if (this.#pools.has(name)) continue;
      this.#retired.set(name, new Pool({ ...options, config: { ...RETIRED, name } }));
    }
  }

  get configured(): Pool[] {
    return [...this.#pools.values()];
  }

  /** The pool by its name, also one that is only being wound up. */
  find(name: string): Pool | undefined {
    return this.#pools.get(name) ?? this.#retired.get(name);
  }

  /** The pool that a request names, or the default one. Throws `unknown_pool`. */
  choose(name: string | undefined): Pool {
    const pool = this.#pools.get(name ?? this.#default);
    if (pool !== undefined) return pool;
    throw new RocksyError('unknown_pool', `There is no pool '${name}'`, {
      hint: `the pools are ${[...this.#pools.keys()].join(', ')}`,
    });
  }

  get all(): Pool[] {
    return [...this.#pools.values(), ...this.#retired.values()];
  }

  zygotePids(): number[] {
    return this.all.flatMap((pool) => pool.zygotePids());
  }

  close(zygotes: 'drain' | 'leave'): void {
    for (const pool of this.all) pool.close(zygotes);
  }

  async ended(ms: number): Promise<void> {
    await Promise.all(this.all.map((pool) => pool.ended(ms)));
  }

  views(): PoolView[] {
    return this.configured.map((pool) => ({ ...pool.view(), default: pool.name === this.#default }));
  }
}
