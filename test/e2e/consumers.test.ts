// examples/consumers with a real PostgreSQL and a real Redis, whose programs come from Debian's packages: every message is
// handled once, whatever becomes of the consumers.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agenda } from '../../src/cloud/agenda.ts';
import { systemClock } from '../../src/cloud/clock.ts';
import { backlogReader, InstanceKeeper, type InstanceRun } from '../../src/cloud/instances/index.ts';
import { type JobDefinition, parseJobs } from '../../src/cloud/jobs/index.ts';
import { Postgres } from '../../src/cloud/store/fixtures/postgres.ts';
import type { JobId, RunKey } from '../../src/cloud/store/index.ts';
import { until } from '../support/daemon.ts';
import {
  type Env,
  EXAMPLE,
  PostgresQueue,
  type Queue,
  RedisQueue,
  withoutPgsql,
  withoutRedis,
} from '../support/queues.ts';

const MESSAGES = 2_000;
const CONSUMERS = 4;
const PATIENCE_MS = 60_000;

/** One process of a consumer, started and signalled by this test alone. */
class Consumer {
  /** Those that go on, whatever a test came to. */
  static readonly #all = new Set<Consumer>();
  readonly #child: ChildProcess;
  readonly startedMs = Date.now();
  readonly ended: Promise<void>;
  log = '';
  isEnding = false;

  constructor(argv: readonly string[], env: Env) {
    const [file = '', ...args] = argv;
    this.#child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        this.log += chunk;
      });
    Consumer.#all.add(this);
    this.ended = once(this.#child, 'close').then(() => void Consumer.#all.delete(this));
  }

  static async killAll(): Promise<void> {
    const all = [...Consumer.#all];
    for (const consumer of all) consumer.end('SIGKILL');
    await Promise.all(all.map(({ ended }) => ended));
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  end(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.isEnding = true;
    this.#child.kill(signal);
  }

  /** It did what a consumer does at a SIGTERM. One that had only just been started knew nothing of it. */
  assertEndedWell(): void {
    if (this.log === '' && this.#child.signalCode === 'SIGTERM') return;
    assert.equal(this.#child.exitCode, 0, `${this.#child.signalCode} ${this.log}`);
    assert.match(this.log, /^ready\n(?:put back .*\n)*ended\n$/);
  }
}

/** The job of the example, where the example is. */
function definitionOf(job: string): JobDefinition {
  const text = fs.readFileSync(path.join(EXAMPLE, 'jobs.yaml'), 'utf8').replaceAll('/srv/consumers', EXAMPLE);
  const found = parseJobs(text, 'jobs.yaml').find(({ name }) => name === job);
  assert.ok(found !== undefined && 'argv' in found.run);
  return found;
}

function consumerOf(queue: Queue, workMs: number): Consumer {
  const { run } = definitionOf(queue.job);
  return new Consumer('argv' in run ? run.argv : [], { ...queue.env.consumer, SHOP_WORK_MS: String(workMs) });
}

async function assertOnceEach(queue: Queue): Promise<void> {
  const handled = await queue.handled();
  assert.equal(new Set(handled).size, MESSAGES, 'none is lost');
  assert.equal(handled.length, MESSAGES, 'none is doubled');
}

/** From none to four and back, while at random times one of them gets a signal and another one takes its place. */
async function churn(queue: Queue, signals: readonly ('SIGTERM' | 'SIGKILL')[]): Promise<Consumer[]> {
  await queue.put(MESSAGES);
  const all: Consumer[] = [];
  const deadline = Date.now() + 60_000;
  const alive = () => all.filter(({ isEnding }) => !isEnding);
  while ((await queue.left()) > 0) {
    assert.ok(Date.now() < deadline, 'it takes too long');
    assert.deepEqual(
      alive()
        .filter(({ hasEnded }) => hasEnded)
        .map(({ log }) => log),
      [],
      'none ends by itself',
    );
    while (alive().length < CONSUMERS) all.push(consumerOf(queue, 2));
    await sleep(Math.random() * 120);
    const signal = signals[Math.floor(Math.random() * signals.length)] ?? 'SIGTERM';
    alive()[Math.floor(Math.random() * CONSUMERS)]?.end(signal);
  }
  for (const consumer of alive()) consumer.end('SIGTERM');
  await Promise.all(all.map(({ ended }) => ended));
  return all;
}

/** The keeper itself, with processes of this test for runs. */
async function keep(queue: Queue): Promise<void> {
  const jobId = 'job' as JobId;
  const given = definitionOf(queue.job);
  assert.ok(given.instances?.backlog);
  const backlog = { ...given.instances.backlog, every_ms: 250, cool_down_ms: 1_000 };
  const definition = { ...given, instances: { ...given.instances, backlog } };
  const consumers = new Map<RunKey, Consumer>();
  const all: Consumer[] = [];
  let most = 0;
  const alive = () => [...consumers.values()];
  using agenda = new Agenda(systemClock);
  const warnings: string[] = [];
  const read = backlogReader({ env: { ...process.env, ...queue.env.cloud }, allowsCommands: true });
  let reads = 0;
  await using keeper: InstanceKeeper = new InstanceKeeper({
    jobs: () => [{ jobId, project: 'shop', name: queue.job, definition }],
    clock: systemClock,
    agenda,
    read: async (from, signal) => {
      const reading = await read(from, signal);
      reads++;
      return reading;
    },
    warn: (message, fields) => warnings.push(`${message} ${JSON.stringify(fields)}`),
    ports: {
      runsOf: () =>
        [...consumers].map(
          ([key, { startedMs, isEnding }]): InstanceRun => ({
            key,
            createdMs: startedMs,
            startedMs,
            isEnding,
          }),
        ),
      start: async (_, count) => {
        for (let i = 0; i < count; i++) {
          const key = `run-${all.length}` as RunKey;
          const consumer = consumerOf(queue, 5);
          consumers.set(key, consumer);
          all.push(consumer);
          most = Math.max(most, consumers.size);
          void consumer.ended.then(() => {
            consumers.delete(key);
            const { startedMs, isEnding } = consumer;
            const times = { createdMs: startedMs, startedMs, endedMs: Date.now() };
            keeper.ended(jobId, { ...times, wasCancelled: isEnding });
          });
        }
      },
      cancel: (key) => consumers.get(key)?.end('SIGTERM'),
    },
  });
  keeper.start();
  await until('the empty backlog has been read twice', () => reads >= 2);
  assert.equal(all.length, 0, 'nothing waits, and none is started');
  await queue.put(MESSAGES);
  await until('there are four', () => alive().length === CONSUMERS, PATIENCE_MS);
  await until('all messages are handled', async () => (await queue.left()) === 0, PATIENCE_MS);
  await until('there are none any more', () => consumers.size === 0, PATIENCE_MS);
  assert.equal(most, CONSUMERS, 'and never more than four');
  assert.deepEqual(warnings, []);
  for (const consumer of all) consumer.assertEndedWell();
  const view = keeper.viewOf(jobId);
  assert.deepEqual([view?.wanted, view?.present, view?.backlog], [0, 0, 0]);
}

function stories(open: () => Promise<Queue>): void {
  test('every message is handled once, while consumers come and go by SIGTERM', async () => {
    await using queue = await open();
    const consumers = await churn(queue, ['SIGTERM']);
    await assertOnceEach(queue);
    assert.ok(consumers.length > 2 * CONSUMERS, `only ${consumers.length} consumers`);
    for (const consumer of consumers) consumer.assertEndedWell();
  });

  test('every message is handled once, while consumers are killed', async () => {
    await using queue = await open();
    await churn(queue, ['SIGKILL', 'SIGTERM']);
    await assertOnceEach(queue);
  });

  test('the keeper scales them from none to four and back, and every message is handled once', async () => {
    await using queue = await open();
    await keep(queue);
    await assertOnceEach(queue);
  });
}

afterEach(() => Consumer.killAll());

describe('a table of PostgreSQL as a queue', { skip: withoutPgsql }, () => {
  let postgres: Postgres;
  before(async () => {
    postgres = await Postgres.start();
  });
  after(() => postgres[Symbol.asyncDispose]());

  const open = async () => PostgresQueue.open(await postgres.newDatabase());
  stories(open);

  test('a message that can not be worked on holds up no other', async () => {
    await using queue = await open();
    await queue.putEmpty();
    await queue.put(10);
    const consumer = consumerOf(queue, 0);
    await until('the others are handled', async () => (await queue.handled()).length === 10, PATIENCE_MS);
    assert.deepEqual(await queue.failed(), [{ attempts: 1, error: 'a message without a body' }]);
    consumer.end('SIGTERM');
    await consumer.ended;
    consumer.assertEndedWell();
  });
});

describe('a list of Redis as a queue', { skip: withoutRedis }, () => {
  stories(() => RedisQueue.start());

  test('whoever was given up takes and writes nothing any more', async () => {
    await using queue = await RedisQueue.start();
    await queue.put(500);
    const slow = consumerOf(queue, 1_500);
    await until(
      'it has one',
      async () => (await queue.left()) === 500 && queue.ask('LLEN', 'orders')[0] === '499',
    );
    const [id = ''] = queue.ask('SMEMBERS', 'orders:consumers');
    // As another consumer does with one that is dead.
    queue.ask('SREM', 'orders:consumers', id);
    queue.ask('LMOVE', `orders:processing:${id}`, 'orders', 'RIGHT', 'LEFT');
    await slow.ended;
    assert.match(slow.log, /given to another consumer/);
    assert.deepEqual([await queue.left(), await queue.handled()], [500, []]);
  });
});
