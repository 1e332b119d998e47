import { createRequire } from 'node:module';
import { type JobsOptions, Queue, Worker } from 'bullmq';
import { Countdown } from './countdown.ts';
import { Handler, PROCESSES_AT_ONCE } from './handler.ts';
import type { Includes, Peer, Scenario, Started } from './peer.ts';
import { type AppendFsync, missingRedis, Redis } from './redis.ts';

const QUEUE = 'jobs';
/** BullMQ loads its driver by itself, and npm does not install it with it. */
const DRIVER = 'ioredis';
const CONCURRENCY: Readonly<Record<Scenario, number>> = {
  latency: 1,
  batch: Number(process.env.BC ?? 50),
  processes: PROCESSES_AT_ONCE,
};

export class BullMq implements Peer {
  readonly name: string;
  readonly scenarios = ['latency', 'batch', 'processes'] as const;
  readonly includes: Includes;
  readonly settings = 'TODO';
  readonly #appendFsync: AppendFsync;

  constructor(appendFsync: AppendFsync) {
    this.#appendFsync = appendFsync;
    this.name = `BullMQ, appendfsync ${appendFsync}`;
    this.includes = {
      ownProcess: 'no; in the last column by the handler',
      exitCode: "no; there as the job's return value",
      log: 'no (job.log() exists)',
      http: 'no',
      durable:
        appendFsync === 'always'
          ? 'add: yes. Completion: yes'
          : 'no: a power cut takes about the last second, of both',
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
    const fail = (error: Error): void => {
      throw error;
    };
    queue.on('error', fail);
    worker.on('error', fail);
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
    const CH = Number(process.env.CH ?? count);
    const all = [];
    for (let i = 0; i < count; i += CH) all.push(this.#queue.addBulk(jobs.slice(i, i + CH)));
    await Promise.all(all);
    await completed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.close();
    await this.#queue.close();
    await this.#redis[Symbol.asyncDispose]();
  }
}
