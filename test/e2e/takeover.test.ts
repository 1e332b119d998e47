// Restarts of a daemon that many clients use in every way. TAKEOVERS, CONNECTIONS: how many; more than CI has time for.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { TestDaemon } from '../support/daemon.ts';
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
  const workers = new Set([await daemon.workerPid()]);
  for (let i = 0; i < TAKEOVERS; i++) {
    await load.during(async () => {
      const { takeover } = await client.restart();
      assert.ok(takeover !== null && takeover.connections >= CONNECTIONS, JSON.stringify(takeover));
    });
    workers.add(await daemon.workerPid());
  }
  const { losses, complaints, work } = await load.stop();
  assert.deepEqual(losses, NO_LOSSES, complaints.join('\n'));
  assert.equal(workers.size, TAKEOVERS + 1);
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
