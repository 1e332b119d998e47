import { Logger, makeWorkerUtils, type Runner, run, type WorkerUtils } from 'graphile-worker';
import { Database, type Databases } from './database.ts';
import { Handler, PROCESSES_AT_ONCE } from './handler.ts';
import type { Includes, Peer, Scenario, Started } from './peer.ts';

const TASK = 'job';
/** By default it writes a line for each job, which nobody else's row contains. */
const SILENT = new Logger(() => () => undefined);
const UNFINISHED = 'SELECT count(*) FROM graphile_worker.jobs';

/** https://worker.graphile.org/docs/performance: the configuration of its "quick stats", and its advice on batching. */
const SETTINGS = {
  latency: { concurrentJobs: 24, maxPoolSize: 25, localQueue: { size: 500 }, completeJobBatchDelay: 0 },
  batch: { concurrentJobs: 24, maxPoolSize: 25, localQueue: { size: 500 }, completeJobBatchDelay: 0 },
  processes: {
    concurrentJobs: PROCESSES_AT_ONCE,
    maxPoolSize: 10,
    localQueue: { size: PROCESSES_AT_ONCE + 1 },
    completeJobBatchDelay: 0,
  },
};

export class GraphileWorker implements Peer {
  readonly name = 'graphile-worker';
  readonly scenarios = ['latency', 'batch', 'processes'] as const;
  readonly includes: Includes = {
    ownProcess: 'handler',
    exitCode: 'handler, in its own table',
    log: 'no',
    http: 'no',
    durable: 'every add and completion',
  };
  readonly settings =
    'concurrentJobs 24, maxPoolSize 25, localQueue.size 500, completeJobBatchDelay 0, addJobs() (docs/performance); ' +
    `processes: concurrentJobs ${PROCESSES_AT_ONCE}, localQueue.size ${PROCESSES_AT_ONCE + 1}; its own log switched off`;
  readonly #databases: Databases;

  constructor(databases: Databases) {
    this.#databases = databases;
  }

  missing(): null {
    return null;
  }

  async start(scenario: Scenario): Promise<Started> {
    const database = await Database.open(await this.#databases.newDatabase());
    const utils = await makeWorkerUtils({ connectionString: database.url, logger: SILENT });
    await utils.migrate();
    // It deletes a job that has completed, and keeps nothing of it.
    await database.execute('CREATE TABLE exit_codes (job bigint PRIMARY KEY, code integer NOT NULL)');
    const handler = new Handler(scenario);
    const runner = await run({
      preset: { worker: { connectionString: database.url, ...SETTINGS[scenario] } },
      logger: SILENT,
      noHandleSignals: true,
      parsedCronItems: [],
      taskList: {
        [TASK]: async (_payload, { job, query }) => {
          const code = await handler.handle();
          if (scenario !== 'processes') return;
          await query('INSERT INTO exit_codes (job, code) VALUES ($1, $2)', [job.id, code]);
          if (code !== 0) throw new Error(`exit code ${code}`);
        },
      },
    });
    return new StartedGraphileWorker(database, utils, runner, handler, scenario);
  }
}

class StartedGraphileWorker implements Started {
  readonly #database: Database;
  readonly #utils: WorkerUtils;
  readonly #runner: Runner;
  readonly #handler: Handler;
  readonly #scenario: Scenario;
  #noted = 0;

  constructor(database: Database, utils: WorkerUtils, runner: Runner, handler: Handler, scenario: Scenario) {
    this.#database = database;
    this.#utils = utils;
    this.#runner = runner;
    this.#handler = handler;
    this.#scenario = scenario;
  }

  async one(): Promise<number> {
    return await this.#handler.firstLine(() => this.#utils.addJob(TASK, {}));
  }

  async many(count: number): Promise<void> {
    const handled = this.#handler.handled(count);
    await this.#utils.addJobs(Array.from({ length: count }, () => ({ identifier: TASK, payload: {} })));
    await handled;
    await this.#database.until(UNFINISHED, 0);
    if (this.#scenario !== 'processes') return;
    this.#noted += count;
    await this.#database.until('SELECT count(*) FROM exit_codes WHERE code = 0', this.#noted);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#runner.stop();
    await this.#utils.release();
    await this.#database[Symbol.asyncDispose]();
  }
}
