// examples/consumers over a real cloud and a real host, with a real PostgreSQL and a real Redis: instances follow the queues,
// whoever is killed, and every message is handled once.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Run } from '../../src/api/index.ts';
import { Postgres } from '../../src/cloud/store/fixtures/postgres.ts';
import { TestCloud } from '../support/cloud.ts';
import { isAlive, processesOf, type TestDaemon, until } from '../support/daemon.ts';
import {
  EXAMPLE,
  PostgresQueue,
  type Queue,
  RedisQueue,
  withoutPgsql,
  withoutRedis,
} from '../support/queues.ts';

const ROCKSY = path.resolve(import.meta.dirname, '../../bin/rocksy.cjs');
/** They are put in two halves, each enough for as many consumers as there may be. */
const MESSAGES = 1_200;
/** `max` of the example. */
const MOST = 4;
const WORK_MS = 20;
/** The example's cool-down is 30 s, after all is handled. */
const PATIENCE_MS = 90_000;

/** A host that has the example's folder, and knows where the queues are. */
async function hostOf(cloud: TestCloud, queues: readonly Queue[]): Promise<TestDaemon> {
  const env = Object.assign({ SHOP_WORK_MS: String(WORK_MS) }, ...queues.map((queue) => queue.env.consumer));
  return await cloud.host({
    pools: `  os: { runtime: command, {user}, env: ${JSON.stringify(env)} }`,
    join: `capacity: ${MOST * queues.length}`,
  });
}

/** The example's own job file, with the place where the example lies. Returns that place. */
function applyExample(cloud: TestCloud, { folder }: TestDaemon): string {
  const place = path.join(folder, 'consumers');
  fs.cpSync(EXAMPLE, place, { recursive: true });
  const file = path.join(place, 'jobs.yaml');
  fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replaceAll('/srv/consumers', place));
  execFileSync(ROCKSY, ['apply', '-f', file], {
    env: { ...process.env, ROCKSY_URL: `unix:${cloud.socket}` },
  });
  return place;
}

async function runsOf(cloud: TestCloud, { job }: Queue): Promise<Run[]> {
  const all: Run[] = [];
  for await (const run of cloud.client.all('listRuns', { query: { project: 'shop', job } })) all.push(run);
  return all;
}

/** Resolves when as many run as there may be. */
async function full(cloud: TestCloud, queue: Queue): Promise<Run[]> {
  return await until(`${MOST} instances of ${queue.job} run`, async () => {
    const running = (await runsOf(cloud, queue)).filter(({ state }) => state === 'running');
    return running.length === MOST ? running : null;
  });
}

function hasStopped(pid: number): boolean {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
}

/** Kills a consumer in the middle of a message, and returns that. It stands still before, so that it can't finish it. */
async function killAtWork(queue: Queue, pids: readonly number[]): Promise<string> {
  await until('they are at work', async () =>
    [...(await queue.consumers()).values()].every((message) => message !== null),
  );
  for (const pid of pids) {
    process.kill(pid, 'SIGSTOP');
    await until('it stands still', () => hasStopped(pid));
    const before = await queue.consumers();
    process.kill(pid, 'SIGKILL');
    const [, message] = await until('its connection is gone', async () => {
      const after = await queue.consumers();
      return [...before].find(([consumer]) => !after.has(consumer));
    });
    // It may have been between two messages.
    if (message !== null) return message;
  }
  throw new Error(`no consumer of ${queue.job} had a message`);
}

/** How many of these were going at one time, at most. */
function mostAtOnce(runs: readonly Run[]): number {
  const began = runs.flatMap(({ started_ms: ms }) => ms ?? []);
  return Math.max(
    ...began.map(
      (ms) =>
        runs.filter((run) => run.started_ms !== null && run.started_ms <= ms && ms < (run.ended_ms ?? 0))
          .length,
    ),
  );
}

/** Who was not killed has ended as consumers do at a SIGTERM, in its own time. */
async function assertEndedWell(cloud: TestCloud, run: Run): Promise<void> {
  if (run.outcome === 'killed') return;
  const { data = '' } = await cloud.client.call('runLog', { params: { key: run.key } });
  assert.deepEqual([run.outcome, run.cancelled_by], ['cancelled', 'instances'], JSON.stringify(run));
  assert.match(data, /^ready\n(?:put back .*\n)*ended\n$/);
}

async function assertOnceEach(queue: Queue): Promise<void> {
  const handled = await queue.handled();
  assert.equal(new Set(handled).size, MESSAGES, `${queue.job}: none is lost`);
  assert.equal(handled.length, MESSAGES, `${queue.job}: none is doubled`);
}

test('instances follow two queues to four and back to none, over kill -9 of cloud and consumers, and each message is handled once', {
  skip: withoutPgsql || withoutRedis,
}, async () => {
  await using postgres = await Postgres.start();
  await using table = await PostgresQueue.open(await postgres.newDatabase());
  await using list = await RedisQueue.start();
  const queues = [table, list];
  await using cloud = await TestCloud.start({
    more: 'instances: { allow_commands: true }',
    env: Object.assign({}, ...queues.map(({ env }) => env.cloud)),
  });
  const place = applyExample(cloud, await hostOf(cloud, queues));
  const consumersOf = ({ job }: Queue) => processesOf(path.join(place, `${job}.php`));

  for (const queue of queues)
    assert.deepEqual(await runsOf(cloud, queue), [], 'nothing waits, and none runs');
  await Promise.all(queues.map((queue) => queue.put(MESSAGES / 2)));
  const first = await Promise.all(queues.map((queue) => full(cloud, queue)));

  const worker = cloud.workerPid;
  process.kill(worker, 'SIGKILL');
  await until('another worker serves', () => cloud.workerPid !== worker && cloud.workerPid !== 0);
  await cloud.connected(1);
  for (const [i, queue] of queues.entries()) {
    const keys = (runs: readonly Run[] = []) => runs.map(({ key }) => key).toSorted();
    assert.deepEqual(
      keys(await full(cloud, queue)),
      keys(first[i]),
      'they have gone on, and no other was started',
    );
  }

  // However long that took, there is something to be in the middle of.
  await Promise.all(queues.map((queue) => queue.put(MESSAGES / 2)));
  const messages = [];
  for (const queue of queues) messages.push(await killAtWork(queue, consumersOf(queue)));
  for (const queue of queues) await full(cloud, queue);
  const last = queues.flatMap(consumersOf);
  assert.equal(last.length, MOST * queues.length);

  await until(
    'all messages are handled',
    async () => (await table.left()) === 0 && (await list.left()) === 0,
    PATIENCE_MS,
  );
  await until('no consumer is left', () => !last.some(isAlive), PATIENCE_MS);
  await until('and the cloud knows', async () => (await cloud.client.call('status', {})).active === 0);
  for (const [i, queue] of queues.entries()) {
    await assertOnceEach(queue);
    assert.ok((await queue.handled()).includes(messages[i] ?? ''), 'so is the one whose consumer was killed');
    assert.equal(consumersOf(queue).length, 0);
    const runs = await runsOf(cloud, queue);
    assert.equal(mostAtOnce(runs), MOST, 'and never more than four');
    const killed = runs.filter(({ outcome }) => outcome === 'killed');
    assert.ok(
      killed.length > 0 && killed.every(({ signal }) => signal === 'SIGKILL'),
      JSON.stringify(killed),
    );
    for (const run of runs) await assertEndedWell(cloud, run);
  }
});
