import { createRequire } from 'node:module';
import { type JobsOptions, Queue, Worker } from 'bullmq';
import { Countdown } from './countdown.ts';
import { Handler, PROCESSES_AT_ONCE } from './handler.ts';
import type { Includes, Peer, Scenario, Started } from './peer.ts';
import { problemOf } from './problem.ts';
import { type AppendFsync, missingRedis, Redis } from './redis.ts';

const QUEUE = 'jobs';
/** BullMQ loads its driver by itself, and npm does not install it with it. */
const DRIVER = 'ioredis';
const CONCURRENCY: Readonly<Record<Scenario, number>> = {
  latency: 1,
  batch: 100,
  processes: PROCESSES_AT_ONCE,
};

/**
 * On Redis, its usual store. Its sandboxed processors have processes of their own as well, but keep them for the next
 * job, and know no exit code of a job: here the handler spawns, as with the others.
 */
export class BullMq implements Peer {
  readonly name: string;
  readonly scenarios = ['latency', 'batch', 'processes'] as const;
  readonly includes: Includes;
  readonly settings =
    `batch: concurrency ${CONCURRENCY.batch}, addBulk(), removeOnComplete (docs/guide); ` +
    `processes: concurrency ${CONCURRENCY.processes}, jobs kept`;
  readonly #appendFsync: AppendFsync;

  constructor(appendFsync: AppendFsync) {
    this.#appendFsync = appendFsync;
    this.name = `BullMQ, appendfsync ${appendFsync}`;
    this.includes = {
      ownProcess: 'handler',
      exitCode: "handler, as the job's return value",
      log: 'no',
      http: 'no',
      durable: appendFsync === 'always' ? 'every add and completion' : 'all but the last second or so',
    };
  }

  missing(): string | null {
    try {
      createRequire(createRequire(import.meta.url).resolve('bullmq')).resolve(DRIVER);
    } catch {
      return `the package ${DRIVER} is missing: npm install --no-save ${DRIVER}`;
    }
    return missingRedis();
  }

  async start(scenario: Scenario): Promise<Started> {
    const redis = await Redis.start(this.#appendFsync);
    const queue = new Queue<object, number>(QUEUE, { connection: { path: redis.socket } });
    const handler = new Handler(scenario);
    const worker = new Worker<object, number>(
      QUEUE,
      async () => {
        const code = await handler.handle();
        if (code !== 0) throw new Error(`exit code ${code}`);
        return code;
      },
      {
        connection: { path: redis.socket, maxRetriesPerRequest: null },
        concurrency: CONCURRENCY[scenario],
      },
    );
    queue.on('error', problemOf(this.name));
    worker.on('error', problemOf(this.name));
    await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()]);
    return new StartedBullMq(redis, queue, worker, handler, scenario);
  }
}

class StartedBullMq implements Started {
  readonly #redis: Redis;
  readonly #queue: Queue<object, number>;
  readonly #worker: Worker<object, number>;
  readonly #handler: Handler;
  readonly #options: JobsOptions;
  readonly #completed = new Countdown();

  constructor(
    redis: Redis,
    queue: Queue<object, number>,
    worker: Worker<object, number>,
    handler: Handler,
    scenario: Scenario,
  ) {
    this.#redis = redis;
    this.#queue = queue;
    this.#worker = worker;
    this.#handler = handler;
    this.#options = { removeOnComplete: scenario !== 'processes' };
    // Emitted after Redis has answered that it is noted.
    worker.on('completed', () => this.#completed.one());
  }

  async one(): Promise<number> {
    return await this.#handler.firstLine(() => this.#queue.add('job', {}, this.#options));
  }

  async many(count: number): Promise<void> {
    const completed = this.#completed.of(count);
    const jobs = Array.from({ length: count }, () => ({ name: 'job', data: {}, opts: this.#options }));
    await this.#queue.addBulk(jobs);
    await completed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.close();
    await this.#queue.close();
    await this.#redis[Symbol.asyncDispose]();
  }
}
