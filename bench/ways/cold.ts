import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { coldArguments, type Site } from '../support/site.ts';
import { type Usage, usageOfOwnChildren } from '../support/usage.ts';
import type { Job, Way } from './way.ts';

/** A fresh interpreter that loads the framework, as cron would start it. */
export class Cold implements Way {
  readonly name: string;
  readonly folder: string;
  readonly #args: readonly string[];
  readonly #cache: string;

  constructor(site: Site, opcache: 'with file cache' | 'without') {
    const cached = opcache === 'with file cache';
    this.name = cached ? "cold, opcache's file cache" : 'cold';
    this.folder = site.forUs();
    this.#cache = site.forUs();
    this.#args = coldArguments(cached ? site.forUs() : null);
  }

  async run(job: Job, param: object): Promise<void> {
    const php = spawn('php', [...this.#args, job, JSON.stringify([param])], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, SHOP_CACHE: this.#cache },
    });
    const [code] = await once(php, 'exit');
    if (code !== 0) throw new Error(`${this.name}: php ended with ${code}`);
  }

  usage(): Usage {
    return usageOfOwnChildren();
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
