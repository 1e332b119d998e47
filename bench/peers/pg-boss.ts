import { PgBoss as Boss, type Job, type JobResult } from 'pg-boss';
import { Database, type Databases } from './database.ts';
import { Handler, PROCESSES_AT_ONCE } from './handler.ts';
import type { Includes, Peer, Scenario, Started } from './peer.ts';
import { problemOf } from './problem.ts';

const QUEUE = 'jobs';

/**
 * https://pgboss.io/api/workers. A worker that fetches jobs singly sleeps after each of them until the next notification
 * or poll: only full batches let it go on at once, so that processes come in batches too.
 */
const SETTINGS = {
  latency: { batchSize: 1, localConcurrency: 1 },
  batch: { batchSize: 500, localConcurrency: 4, burstWhenBatchFull: true },
  processes: { batchSize: PROCESSES_AT_ONCE, localConcurrency: 1, burstWhenBatchFull: true },
} as const;

export class PgBoss implements Peer {
  readonly name = 'pg-boss';
  readonly scenarios = ['latency', 'batch', 'processes'] as const;
  readonly includes: Includes = {
    ownProcess: 'handler',
    exitCode: "handler, as the job's output",
    log: 'no',
    http: 'no (@pg-boss/proxy)',
    durable: 'every add and completion',
  };
  readonly settings =
    'useListenNotify, notify; batch: batchSize 500, localConcurrency 4, burstWhenBatchFull, insert() (docs/api/workers); ' +
    `processes: batchSize ${PROCESSES_AT_ONCE}, localConcurrency 1, burstWhenBatchFull, perJobResults`;
  readonly #databases: Databases;

  constructor(databases: Databases) {
    this.#databases = databases;
  }

  missing(): null {
    return null;
  }

  async start(scenario: Scenario): Promise<Started> {
    const database = await Database.open(await this.#databases.newDatabase());
    const boss = new Boss({ connectionString: database.url, useListenNotify: true });
    boss.on('error', problemOf(this.name));
    await boss.start();
    await boss.createQueue(QUEUE, { notify: true });
    const handler = new Handler(scenario);
    const handle = async ({ id }: Job<object>): Promise<JobResult> => {
      const exitCode = await handler.handle();
      return { id, status: exitCode === 0 ? 'completed' : 'failed', output: { exitCode } };
    };
    if (scenario === 'processes')
      await boss.work(QUEUE, { ...SETTINGS.processes, perJobResults: true }, (jobs: Job<object>[]) =>
        Promise.all(jobs.map(handle)),
      );
    else
      await boss.work(QUEUE, SETTINGS[scenario], async (jobs: Job<object>[]) => {
        for (const _job of jobs) await handler.handle();
      });
    return new StartedPgBoss(database, boss, handler, scenario);
  }
}

class StartedPgBoss implements Started {
  readonly #database: Database;
  readonly #boss: Boss;
  readonly #handler: Handler;
  readonly #completed: string;
  #added = 0;

  constructor(database: Database, boss: Boss, handler: Handler, scenario: Scenario) {
    this.#database = database;
    this.#boss = boss;
    this.#handler = handler;
    const noted = scenario === 'processes' ? " AND output->>'exitCode' = '0'" : '';
    this.#completed = `SELECT count(*) FROM pgboss.job WHERE name = '${QUEUE}' AND state = 'completed'${noted}`;
  }

  async one(): Promise<number> {
    this.#added++;
    return await this.#handler.firstLine(() => this.#boss.send(QUEUE, {}));
  }

  async many(count: number): Promise<void> {
    this.#added += count;
    const handled = this.#handler.handled(count);
    await this.#boss.insert(
      QUEUE,
      Array.from({ length: count }, () => ({ data: {} })),
    );
    await handled;
    await this.#database.until(this.#completed, this.#added);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#boss.stop();
    await this.#database[Symbol.asyncDispose]();
  }
}
