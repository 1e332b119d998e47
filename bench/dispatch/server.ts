import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type CloudClient, connectCloud } from '../../src/client/index.ts';
import { WORKER_FLAGS } from '../../src/cloud/server/index.ts';

interface Counts {
  readonly ended: number;
  readonly active: number;
  readonly lateness: readonly number[];
  readonly rss: number;
}

let started = 0;

/** simulated.ts in a process of its own. */
export class Simulated implements AsyncDisposable {
  readonly client: CloudClient;
  readonly #process: ChildProcess;

  static async start(url: string, hosts: number, folder: string): Promise<Simulated> {
    const socket = join(folder, `api-${process.pid}-${++started}.sock`);
    const server = fork(join(import.meta.dirname, 'simulated.ts'), [url, socket, String(hosts)], {
      execArgv: [...WORKER_FLAGS],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    await once(server, 'message');
    return new Simulated(server, socket);
  }

  private constructor(server: ChildProcess, socket: string) {
    this.#process = server;
    this.client = connectCloud(`unix:${socket}`);
  }

  async counts(): Promise<Counts> {
    this.#process.send('counts');
    const [counts] = await once(this.#process, 'message');
    return counts as Counts;
  }

  /** Resolves when so many have ended, and that is in the store. */
  async idle(ended: number): Promise<void> {
    for (
      let counts = await this.counts();
      counts.ended < ended || counts.active > 0;
      counts = await this.counts()
    )
      await wait(2);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client[Symbol.dispose]();
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
  }
}
