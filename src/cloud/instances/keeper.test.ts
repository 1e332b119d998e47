import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agenda } from '../agenda.ts';
import { TestClock } from '../fixtures/test-clock.ts';
import { parseJobs } from '../jobs/index.ts';
import type { JobId } from '../store/index.ts';
import { Fleet } from './fixtures/fleet.ts';
import { InstanceKeeper, type KeptJob, type Reading } from './index.ts';

const JOB = 'job-1' as JobId;
const FOLLOWING = '{ max: 8, per: 100, command: [backlog] }';

/** A keeper with hosts, a clock and a backlog that are the test's. */
class Scene implements AsyncDisposable {
  readonly clock = new TestClock(1_000_000);
  readonly agenda = new Agenda(this.clock);
  readonly fleet = new Fleet(this.clock);
  readonly jobs = new Map<JobId, KeptJob>();
  readonly warnings: string[] = [];
  /** What a look at the backlog comes to. */
  read: () => Reading | Promise<Reading> = () => ({ ok: true, backlog: 0 });
  looks = 0;
  readonly keeper: InstanceKeeper;

  constructor() {
    this.keeper = new InstanceKeeper({
      jobs: () => this.jobs.values(),
      ports: this.fleet,
      clock: this.clock,
      agenda: this.agenda,
      read: async () => {
        this.looks++;
        return this.read();
      },
      warn: (message) => this.warnings.push(message),
    });
    this.fleet.keeper = this.keeper;
  }

  /** Null: the job has no instances. */
  define(instances: string | null, more = '', jobId = JOB, isPaused = false): void {
    const key = instances === null ? '' : `, instances: ${instances}`;
    const [definition] = parseJobs(`jobs: { a: { argv: [x], pool: os${key}${more} } }`, 'jobs.yaml');
    if (definition === undefined) throw new Error('a file with one job has one job');
    this.jobs.set(jobId, { jobId, project: 'shop', name: 'a', definition, isPaused });
    this.keeper.changed(jobId);
  }

  async backlog(count: number, passMs = 15_000): Promise<void> {
    this.read = () => ({ ok: true, backlog: count });
    await this.clock.advance(passMs);
  }

  get count(): number {
    return this.fleet.runs.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.keeper[Symbol.asyncDispose]();
    this.agenda[Symbol.dispose]();
    await this.clock.advance(3_600_000);
  }
}

test('so many run at all times: what ends is replaced', async () => {
  await using scene = new Scene();
  scene.define('3');
  await scene.clock.advance(30_000);
  assert.equal(scene.count, 3);
  scene.fleet.end([...scene.fleet.runs.keys()].slice(0, 2));
  await scene.clock.advance(0);
  assert.equal(scene.count, 3);
  assert.equal(scene.looks, 0, 'a number needs no look');
});

test('instances follow a backlog up at once, and down after the cool-down', async () => {
  await using scene = new Scene();
  scene.define(FOLLOWING);
  await scene.clock.advance(0);
  assert.equal(scene.count, 0);
  await scene.backlog(401);
  assert.equal(scene.count, 5);
  await scene.backlog(0, 74_000);
  assert.deepEqual(scene.fleet.cancelled, []);
  await scene.backlog(0, 1_000);
  assert.equal(scene.fleet.cancelled.length, 5);
  scene.fleet.end();
  await scene.backlog(0);
  assert.equal(scene.count, 0);
  await scene.backlog(1);
  assert.equal(scene.count, 1);
});

test('a backlog that can not be read is told once, and the last number holds', async () => {
  await using scene = new Scene();
  scene.define(FOLLOWING);
  await scene.backlog(300, 0);
  scene.read = () => ({ ok: false, error: 'no route' });
  await scene.clock.advance(600_000);
  assert.equal(scene.count, 3);
  assert.equal(scene.warnings.length, 1);
  const view = scene.keeper.viewOf(JOB);
  assert.deepEqual([view?.backlog, view?.backlog_error], [300, 'no route']);
  assert.equal(view?.backlog_failing_since_ms, 1_015_000);
});

test('a crash loop is slowed down, and a new definition begins without delay', async () => {
  await using scene = new Scene();
  scene.define('2');
  for (let i = 0; i < 200; i++) {
    await scene.clock.advance(1_000);
    scene.fleet.end();
  }
  const rounds = scene.fleet.starts.length;
  assert.ok(rounds >= 7 && rounds <= 9, `${rounds} rounds`);
  assert.ok((scene.keeper.viewOf(JOB)?.slowed_until_ms ?? 0) > scene.clock.nowMs());
  scene.define('2', ', env: { MENDED: "1" }');
  await scene.clock.advance(0);
  assert.equal(scene.count, 2);
});

test('a job that is paused, a shadow, gone or without instances has none any more', async () => {
  const ends: ((scene: Scene) => void)[] = [
    (scene) => scene.define(FOLLOWING, '', JOB, true),
    (scene) => scene.define(FOLLOWING, ', shadow: true'),
    (scene) => scene.define(null),
    (scene) => {
      scene.jobs.delete(JOB);
      scene.keeper.changed(JOB);
    },
  ];
  for (const end of ends) {
    await using scene = new Scene();
    scene.define(FOLLOWING);
    await scene.backlog(200);
    end(scene);
    await scene.clock.advance(0);
    assert.equal(scene.fleet.cancelled.length, 2);
    const { looks } = scene;
    scene.fleet.end();
    await scene.clock.advance(600_000);
    assert.deepEqual([scene.count, scene.looks], [0, looks]);
    scene.define(FOLLOWING);
    await scene.clock.advance(0);
    assert.equal(scene.count, 2, 'and has them again');
  }
});

test('a job that goes while its instances are being started has none', async () => {
  await using scene = new Scene();
  scene.define('3');
  await Promise.resolve();
  assert.deepEqual([scene.fleet.starts.length, scene.count], [1, 0]);
  scene.jobs.delete(JOB);
  scene.keeper.changed(JOB);
  await scene.clock.advance(0);
  assert.equal(scene.fleet.cancelled.length, 3);
});

test('what can not be started is tried again, and not all the time', async () => {
  await using scene = new Scene();
  scene.fleet.refusal = new Error('the queue is full');
  scene.define('2');
  await scene.clock.advance(14_000);
  assert.equal(scene.fleet.starts.length, 3);
  scene.fleet.refusal = null;
  await scene.clock.advance(1_000);
  assert.equal(scene.count, 2);
});

test('a job has one look at a time, and all jobs together have eight', async () => {
  await using scene = new Scene();
  let present = 0;
  let most = 0;
  const waiting: (() => void)[] = [];
  scene.read = async () => {
    most = Math.max(most, ++present);
    await new Promise<void>((resolve) => waiting.push(resolve));
    present--;
    return { ok: true, backlog: 0 };
  };
  const looked = async (turns: number) => {
    for (; turns > 0; turns--) {
      waiting.shift()?.();
      await scene.clock.advance(0);
    }
  };
  for (let i = 0; i < 20; i++) scene.define(FOLLOWING, '', `job-${i}` as JobId);
  await scene.clock.advance(0);
  assert.equal(scene.looks, 8);
  await looked(20);
  assert.equal(scene.looks, 20);
  await scene.clock.advance(60_000);
  assert.equal(scene.looks, 28, 'however long they take');
  assert.equal(most, 8);
  scene.read = () => ({ ok: true, backlog: 0 });
  await looked(8);
});

test('what was read for an earlier definition does not count', async () => {
  await using scene = new Scene();
  const { promise, resolve } = Promise.withResolvers<Reading>();
  scene.read = () => promise;
  scene.define(FOLLOWING);
  await scene.clock.advance(0);
  scene.read = () => ({ ok: true, backlog: 100 });
  scene.define('{ max: 8, per: 50, command: [other] }');
  await scene.clock.advance(0);
  assert.equal(scene.looks, 1);
  resolve({ ok: true, backlog: 100_000 });
  await scene.clock.advance(0);
  assert.deepEqual([scene.looks, scene.count], [2, 2]);
});

test('whoever leads next ends nothing of what it finds without a cool-down, and starts nothing twice', async () => {
  await using scene = new Scene();
  scene.define(FOLLOWING);
  await scene.backlog(300);
  await scene.keeper[Symbol.asyncDispose]();
  assert.deepEqual(scene.fleet.cancelled, []);
  const next = new InstanceKeeper({
    jobs: () => scene.jobs.values(),
    ports: scene.fleet,
    clock: scene.clock,
    agenda: scene.agenda,
    read: async () => ({ ok: true, backlog: 0 }),
    warn: () => {},
  });
  scene.fleet.keeper = next;
  next.start();
  await scene.clock.advance(59_000);
  assert.deepEqual([scene.count, scene.fleet.cancelled.length], [3, 0]);
  await scene.clock.advance(16_000);
  assert.equal(scene.fleet.cancelled.length, 3);
  await next[Symbol.asyncDispose]();
});

test('a keeper that is stopped does nothing more, whatever is still going on', async () => {
  const scene = new Scene();
  const { promise, resolve } = Promise.withResolvers<Reading>();
  scene.read = () => promise;
  scene.define(FOLLOWING);
  await scene.clock.advance(0);
  const stopped = scene[Symbol.asyncDispose]();
  resolve({ ok: true, backlog: 1_000 });
  await stopped;
  assert.equal(scene.count, 0);
});
