import type { Client } from '../../src/client/index.ts';
import { TestDaemon } from '../../test/support/daemon.ts';
import { BOOTSTRAP, coldArguments, type Site } from '../support/site.ts';
import { type Usage, usageOfTree } from '../support/usage.ts';
import type { Job, Way } from './way.ts';

/** rocksyd with one pool, asked through its own client: `run`, then `wait` for the outcome. */
export class Rocksy implements Way {
  readonly name: string;
  readonly folder: string;
  readonly #daemon: TestDaemon;
  readonly #client: Client;
  readonly #request: (job: Job, param: object) => object;

  private constructor(
    name: string,
    folder: string,
    daemon: TestDaemon,
    client: Client,
    request: (job: Job, param: object) => object,
  ) {
    this.name = name;
    this.folder = folder;
    this.#daemon = daemon;
    this.#client = client;
    this.#request = request;
  }

  /** A PHP pool that has loaded the framework; 0 parked children: fork on request. */
  static async php(site: Site, prefork: number): Promise<Rocksy> {
    const pool = `runtime: php, {user}, bootstrap: ${BOOTSTRAP}, prefork: ${prefork}, env: { SHOP_CACHE: ${site.forPool()} }`;
    const name = prefork === 0 ? 'Rocksy, fork on request' : `Rocksy, prefork: ${prefork}`;
    return await Rocksy.#start(name, site, pool, (job, param) => ({ class: job, params: [param] }));
  }

  /** A command pool that runs the cold script, with opcache's file cache. */
  static async command(site: Site): Promise<Rocksy> {
    const pool = `runtime: command, {user}, env: { SHOP_CACHE: ${site.forPool()} }`;
    const args = coldArguments(site.forPool());
    const request = (job: Job, param: object): object => ({
      argv: ['php', ...args, job, JSON.stringify([param])],
    });
    return await Rocksy.#start('Rocksy, command, file cache', site, pool, request);
  }

  static async #start(
    name: string,
    site: Site,
    pool: string,
    request: (job: Job, param: object) => object,
  ): Promise<Rocksy> {
    const daemon = site.keep(
      await TestDaemon.start({
        pools: `  bench: { ${pool} }`,
        more: 'log: { level: warn }\n',
        program: site.program,
      }),
    );
    return new Rocksy(name, site.forPool(), daemon, await daemon.connect(), request);
  }

  async run(job: Job, param: object): Promise<void> {
    const { run } = await this.#client.run(this.#request(job, param));
    const { outcome, error } = await this.#client.wait(run.key);
    if (outcome !== 'succeeded') throw new Error(`${this.name}: ${outcome}: ${error}`);
  }

  usage(): Usage {
    return usageOfTree(this.#daemon.keeperPid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    await this.#daemon.stop();
  }
}
