import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { LineClient } from '../support/line-client.ts';
import { type Rate, rate } from '../support/measure.ts';
import { BOOTSTRAP, OPCACHE } from '../support/php.ts';
import type { Site } from '../support/site.ts';
import { type Usage, usageOfTree } from '../support/usage.ts';
import type { Job, Way } from './way.ts';

const SERVER = path.resolve(import.meta.dirname, '../original/server.php');

/** Pauses of the client, of which the best counts. */
const POLLS_MS = [1, 5, 20];

/** The predecessor's way: a fork per request, statuses in memory, and a client that asks again and again. */
export class Original implements Way {
  readonly name = "the original's way";
  readonly folder: string;
  /** How long the client waits between two `check`s of a run. */
  pollMs = 1;
  readonly #server: ChildProcess;
  readonly #client: LineClient;
  #lastHash = 0;

  private constructor(folder: string, server: ChildProcess, client: LineClient) {
    this.folder = folder;
    this.#server = server;
    this.#client = client;
  }

  static async start(site: Site): Promise<Original> {
    const socket = path.join(site.forUs(), 'socket');
    const server = spawn('php', [...OPCACHE, SERVER, `unix://${socket}`, BOOTSTRAP], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, SHOP_CACHE: site.forUs() },
    });
    await once(server.stdout, 'data');
    return new Original(site.forUs(), server, await LineClient.connect(socket));
  }

  async run(job: Job, param: object): Promise<void> {
    const hash = ++this.#lastHash;
    await this.#client.request('run', { hash, class: `Bench\\${job}`, params: [param] });
    for (;;) {
      const answer = await this.#client.request('check', { hash });
      if ('retcode' in answer) {
        if (answer.retcode !== 0) throw new Error(`${this.name}: ${JSON.stringify(answer)}`);
        break;
      }
      await wait(this.pollMs);
    }
    await this.#client.request('free', { hash });
  }

  /** The best of several pauses. */
  async bestRate(inFlight: number, seconds: number): Promise<Rate> {
    const before = this.pollMs;
    let best: Rate = { perSecond: 0, cpuMs: 0, faults: 0 };
    for (const pollMs of POLLS_MS) {
      this.pollMs = pollMs;
      const found = await rate(this, inFlight, seconds / POLLS_MS.length);
      if (found.perSecond > best.perSecond) best = found;
    }
    this.pollMs = before;
    return best;
  }

  usage(): Usage {
    return usageOfTree(Number(this.#server.pid));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client[Symbol.dispose]();
    this.#server.kill();
    await once(this.#server, 'exit');
  }
}
