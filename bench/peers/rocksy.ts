import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { preciseClock } from '../../examples/symfony/demo/timing.ts';
import type { CloudClient } from '../../src/client/index.ts';
import { TestCloud } from '../../test/support/cloud.ts';
import { Simulated } from '../dispatch/server.ts';
import { Ends } from '../support/ends.ts';
import type { Databases } from './database.ts';
import { PROCESSES_AT_ONCE } from './handler.ts';
import type { Includes, Peer, Scenario, Started } from './peer.ts';

const BATCH = 1_000;
const ROOT = join(import.meta.dirname, '../..');

async function submit(client: CloudClient, count: number, run: object): Promise<void> {
  const calls = [];
  for (let made = 0; made < count; made += BATCH) {
    const runs = Array.from({ length: Math.min(BATCH, count - made) }, () => ({
      pool: 'os',
      argv: ['true'],
      ...run,
    }));
    calls.push(client.call('createRuns', { body: { runs } }));
  }
  await Promise.all(calls);
}

/** Everything but the host: what its peers do when their handlers do nothing. */
export class RocksySimulated implements Peer {
  readonly name = 'Rocksy, simulated host';
  readonly scenarios = ['batch'] as const;
  readonly includes: Includes = {
    ownProcess: 'no',
    exitCode: 'yes, as its host says it',
    log: 'no',
    http: 'yes',
    durable: 'every add and completion',
  };
  readonly settings = 'createRuns in calls of 1,000; 100 hosts in the process of the server';
  readonly #databases: Databases;

  constructor(databases: Databases) {
    this.#databases = databases;
  }

  missing(): null {
    return null;
  }

  async start(): Promise<Started> {
    const folder = mkdtempSync(join(tmpdir(), 'rocksy-peer-'));
    const server = await Simulated.start(await this.#databases.newDatabase(), 100, folder);
    let ended = 0;
    return {
      one: () => Promise.reject(new Error('its first line is nobody’s')),
      many: async (count) => {
        await submit(server.client, count, {});
        ended += count;
        await server.idle(ended);
      },
      [Symbol.asyncDispose]: async () => {
        await server[Symbol.asyncDispose]();
        rmSync(folder, { recursive: true });
      },
    };
  }
}

/** The real thing: server, rocksyd, a process for each run. */
export class RocksyProcesses implements Peer {
  readonly name = 'Rocksy, own process';
  readonly scenarios = ['latency', 'processes'] as const;
  readonly includes: Includes = {
    ownProcess: 'yes (PHP forked from a loaded Symfony; processes: /bin/true)',
    exitCode: 'yes',
    log: 'yes',
    http: 'yes',
    durable: 'every add and completion, on the server and on the host',
  };
  readonly settings =
    `one rocksyd, ${PROCESSES_AT_ONCE} runs at a time, prefork 4; createRuns in calls of 1,000`;
  readonly #databases: Databases;

  constructor(databases: Databases) {
    this.#databases = databases;
  }

  missing(): null {
    return null;
  }

  async start(_scenario: Scenario): Promise<Started> {
    const url = await this.#databases.newDatabase();
    const cloud = await TestCloud.start({
      more: `store: ${JSON.stringify(url)}\nlimits: { requests_per_minute: 1000000 }`,
    });
    const bootstrap = join(ROOT, 'examples/symfony/bootstrap.php');
    await cloud.host({
      // As many at a time as its peers' handlers.
      join: `capacity: ${PROCESSES_AT_ONCE}`,
      more: 'default_pool: os',
      pools: [
        '  os: { runtime: command, {user} }',
        `  web: { runtime: php, {user}, bootstrap: ${bootstrap}, prefork: 4, env: { SHOP_CACHE: ./scratch } }`,
      ].join('\n'),
    });
    const ends = new Ends(cloud.client);
    const clock = preciseClock();
    let succeeded = 0;
    return {
      one: async () => {
        const asked = clock();
        const { key } = await cloud.client.call('createRun', {
          body: { pool: 'web', class: 'Shop\\Job\\FirstLine' },
        });
        await ends.of(key);
        const { run } = await cloud.client.call('getRun', { params: { key } });
        return (run.result as { readonly first_line_ms: number }).first_line_ms - asked;
      },
      many: async (count) => {
        await submit(cloud.client, count, { argv: ['/bin/true'] });
        await ends.all();
        succeeded += count;
        const { outcomes_24h: outcomes } = await cloud.client.call('status', {});
        if (outcomes.succeeded !== succeeded)
          throw new Error(`of ${succeeded} runs: ${JSON.stringify(outcomes)}`);
      },
      [Symbol.asyncDispose]: async () => {
        ends[Symbol.dispose]();
        await cloud[Symbol.asyncDispose]();
      },
    };
  }
}
