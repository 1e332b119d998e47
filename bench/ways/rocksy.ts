import type { Client } from '../../src/client/index.ts';
import { TestDaemon } from '../../test/support/daemon.ts';
import type { Site } from '../support/site.ts';
import { type Usage, usageOfTree } from '../support/usage.ts';
import type { Job, Way } from './way.ts';

export interface Pool {
  readonly name: string;
  /** The pool's keys in YAML; `{user}` among them. */
  readonly keys: string;
  /** What asks it for a class with one parameter. */
  readonly request: (job: Job, param: object) => object;
}

/** rocksyd with one pool, asked through its own client: `run`, then `wait` for the outcome. */
export class Rocksy implements Way {
  readonly name: string;
  readonly folder: string;
  readonly #daemon: TestDaemon;
  readonly #client: Client;
  readonly #request: Pool['request'];

  private constructor(pool: Pool, folder: string, daemon: TestDaemon, client: Client) {
    this.name = pool.name;
    this.folder = folder;
    this.#daemon = daemon;
    this.#client = client;
    this.#request = pool.request;
  }

  static async start(site: Site, pool: Pool): Promise<Rocksy> {
    const daemon = site.keep(
      await TestDaemon.start({
        pools: `  bench: { ${pool.keys} }`,
        more: 'log: { level: warn }\n',
        program: site.program,
      }),
    );
    return new Rocksy(pool, site.forPool(), daemon, await daemon.connect());
  }

  async run(job: Job, param: object): Promise<void> {
    const { run } = await this.#client.run(this.#request(job, param));
    const { outcome, error } = await this.#client.wait(run.key);
    if (outcome !== 'succeeded') throw new Error(`${this.name}: ${outcome}: ${error}`);
  }

  usage(): Usage {
    return usageOfTree(this.#daemon.keeperPid);
  }

  async zygotePid(): Promise<number> {
    return await this.#daemon.zygotePid('bench');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    await this.#daemon.stop();
  }
}
