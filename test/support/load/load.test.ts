import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { TestDaemon } from '../daemon.ts';
import { FaultyProxy } from './faulty-proxy.ts';
import { type LoadOptions, NO_LOSSES, startLoad } from './load.ts';

const DAEMON = {
  pools: '  os: { runtime: command, {user} }',
  listen: ['tcp://127.0.0.1:0'],
  more: 'auth: none\n',
};

function loadOf(daemon: TestDaemon, connections: number): LoadOptions {
  const addresses = [{ path: daemon.socket }, { port: daemon.tcpPort }] as const;
  return { addresses, connections, seed: 1, state: daemon.state };
}

test('a daemon that goes on loses nothing', async () => {
  await using daemon = await TestDaemon.start(DAEMON);
  await using load = await startLoad(loadOf(daemon, 100));
  await load.during(() => wait(2000));
  const { losses, complaints, work } = await load.stop();
  assert.deepEqual(losses, NO_LOSSES, complaints.join('\n'));
  for (const [what, count] of Object.entries(work)) assert.ok(count > 0, `${what}: ${count}`);
});

test('a daemon that stands still for a time loses nothing, and the time is measured', async () => {
  await using daemon = await TestDaemon.start(DAEMON);
  await using load = await startLoad(loadOf(daemon, 50));
  const worker = await daemon.workerPid();
  await wait(1000);
  await load.during(async () => {
    process.kill(worker, 'SIGSTOP');
    await wait(500);
    process.kill(worker, 'SIGCONT');
  });
  await wait(1000);
  const { losses, complaints, during } = await load.stop();
  assert.deepEqual(losses, NO_LOSSES, complaints.join('\n'));
  const [stall] = during;
  assert.ok(stall !== undefined && stall.longestMs > 400, JSON.stringify(stall));
});

test('a daemon whose worker is killed has cut connections and lost answers', async () => {
  await using daemon = await TestDaemon.start(DAEMON);
  await using load = await startLoad(loadOf(daemon, 100));
  const worker = await daemon.workerPid();
  await load.during(async () => {
    await wait(1000);
    process.kill(worker, 'SIGKILL');
    await wait(1000);
  });
  const { losses, complaints } = await load.stop();
  assert.ok(losses.cut >= 100, complaints.join('\n'));
  assert.ok(losses.lost > 0, complaints.join('\n'));
  assert.equal(losses.refused, 0, complaints.join('\n'));
});

for (const [fault, counted] of [
  ['dropped', 'lost'],
  ['doubled', 'doubled'],
  ['swapped', 'misordered'],
  ['shortened', 'wrong'],
] as const) {
  test(`answers that are ${fault} on their way are counted as ${counted}`, async () => {
    await using daemon = await TestDaemon.start(DAEMON);
    await using proxy = await FaultyProxy.start(daemon);
    const addresses = [{ path: proxy.path }] as const;
    await using load = await startLoad({ ...loadOf(daemon, 50), addresses, patienceMs: 2000 });
    proxy.fault = fault;
    await wait(2000);
    proxy.fault = 'none';
    const { losses, complaints } = await load.stop();
    assert.ok(losses[counted] > 0, `${JSON.stringify(losses)}\n${complaints.join('\n')}`);
    assert.equal(losses.refused, 0);
  });
}
