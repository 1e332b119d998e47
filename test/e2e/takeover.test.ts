// Restarts of a daemon that many clients use in every way. TAKEOVERS, CONNECTIONS: how many; more than CI has time for.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { TestDaemon, until } from '../support/daemon.ts';
import { NO_LOSSES, startLoad } from '../support/load/load.ts';

const TAKEOVERS = Number(process.env.TAKEOVERS ?? 10);
const CONNECTIONS = Number(process.env.CONNECTIONS ?? 200);

const DAEMON = {
  pools: '  os: { runtime: command, {user} }',
  listen: ['tcp://127.0.0.1:0'],
  more: 'auth: none\n',
};

test(`${TAKEOVERS} restarts lose no answer, double none and cut off nobody`, async () => {
  await using daemon = await TestDaemon.start(DAEMON);
  const addresses = [{ path: daemon.socket }, { port: daemon.tcpPort }] as const;
  await using load = await startLoad({ addresses, connections: CONNECTIONS, seed: 1, state: daemon.state });
  const client = await daemon.connect();
  let worker = await daemon.workerPid();
  for (let i = 0; i < TAKEOVERS; i++) {
    await load.during(async () => {
      const { takeover } = await client.restart();
      assert.ok(takeover !== null && takeover.connections >= CONNECTIONS, JSON.stringify(takeover));
    });
    // Not one of all before: pids repeat.
    const successor = await daemon.workerPid();
    assert.notEqual(successor, worker);
    worker = successor;
  }
  const { losses, complaints, work } = await load.stop();
  assert.deepEqual(losses, NO_LOSSES, complaints.join('\n'));
  for (const [what, count] of Object.entries(work)) assert.ok(count > 0, `${what}: ${count}`);
});

test('subscribers are told of logs and progress once, whoever tells them', async () => {
  await using daemon = await TestDaemon.start(DAEMON);
  const client = await daemon.connect();
  await using events = await client.events({ events: ['log', 'progress'] }).subscribed();
  const go = path.join(daemon.scratch, 'go');
  const script =
    'echo progress 40 half >> "$ROCKSY_RUN_FILE"; echo one; while [ ! -e "$0" ]; do sleep 0.05; done; echo two; sleep 1000';
  await client.run({ key: 'k', argv: ['sh', '-c', script, go] });
  const told: unknown[] = [];
  for await (const event of events) {
    told.push(event.event === 'log' ? event.size : event.event);
    if (told.length === 2) {
      await client.restart();
      fs.writeFileSync(go, '');
    }
    if (event.event === 'log' && event.size === 8) break;
  }
  assert.deepEqual(told.toSorted(), [4, 8, 'progress']);
  await client.cancel('k');
});

test('a request that hangs has the restart refused, and keeps nobody else waiting', async () => {
  await using daemon = await TestDaemon.start(DAEMON);
  const [client, other] = [await daemon.connect(), await daemon.connect()];
  await client.run({ key: 'k', argv: ['sleep', '1000'] });
  const zygote = await daemon.zygotePid('os');
  process.kill(zygote, 'SIGSTOP');
  const hanging = client.signal('k', 'SIGTERM');
  let isRefused = false;
  const refused = client.restart().finally(() => {
    isRefused = true;
  });
  let longestMs = 0;
  const watching = assert.rejects(refused, /'signal'.* is not answered/);
  while (!isRefused) {
    const askedMs = performance.now();
    await other.status('k');
    longestMs = Math.max(longestMs, performance.now() - askedMs);
  }
  await watching;
  assert.ok(longestMs < 2_000, `somebody waited ${longestMs} ms`);
  process.kill(zygote, 'SIGCONT');
  await hanging;
  assert.notEqual((await client.restart()).takeover, null);
});

test('a run without zygote that was told to end is still killed in time, and by that reason', async () => {
  await using daemon = await TestDaemon.start(DAEMON);
  const client = await daemon.connect();
  await client.run({ key: 'k', argv: ['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done'] });
  const zygote = await daemon.zygotePid('os');
  process.kill(zygote, 'SIGKILL');
  await until('another zygote serves', async () => (await daemon.zygotePid('os')) !== zygote);
  await client.cancel('k', { kill_after_ms: 2_000 });
  await client.restart();
  const run = await client.wait('k');
  assert.deepEqual([run.outcome, run.signal], ['cancelled', 'SIGKILL']);
});
