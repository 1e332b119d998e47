// Signals to the keeper, one, many, and in the middle of a takeover.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type DaemonOptions, TestDaemon, until } from '../support/daemon.ts';
import { Gate } from '../support/gate.ts';
import { workersOf } from '../support/processes.ts';
import type { Releases } from '../support/releases.ts';
import { sh } from '../support/runs.ts';
import { atStep, hasCome, releasesWithSteps, STEPS_ENV } from '../support/steps.ts';
import { Wire } from '../support/wire.ts';

const OS: DaemonOptions = { pools: '  os: { runtime: command, {user} }' };
const CLIENTS = 20;
const STORM = 50;

let releases: Releases;

before(() => {
  releases = releasesWithSteps();
});

after(() => releases[Symbol.dispose]());

const startWithSteps = (): Promise<TestDaemon> =>
  TestDaemon.start({ ...OS, program: releases.program, env: STEPS_ENV });

test('SIGHUP and SIGUSR2 replace the worker; the keeper and its clients stay', async () => {
  await using daemon = await TestDaemon.start(OS);
  using wire = await Wire.open(daemon.socket);
  const workers = [(await wire.ask('stats')).worker_pid];
  for (const signal of ['SIGHUP', 'SIGUSR2'] as const) {
    daemon.kill(signal);
    workers.push(
      await until('another worker answers', async () => {
        const { worker_pid: pid, keeper_pid: keeper } = await wire.ask('stats');
        assert.equal(keeper, daemon.keeperPid);
        return workers.includes(pid) ? null : pid;
      }),
    );
  }
});

test(`${STORM} times SIGHUP at once, and again and again: everybody is served, and nothing is lost`, async () => {
  await using daemon = await TestDaemon.start(OS);
  const client = await daemon.connect();
  using gate = new Gate(daemon);
  await client.run(sh('gated', `read _ < ${gate.path}; exit 7`));
  const wires = await Promise.all(Array.from({ length: CLIENTS }, () => Wire.open(daemon.socket)));
  for (const [i, wire] of wires.entries()) wire.send(`wait {"id":${i},"key":"gated"}`);
  const first = await daemon.workerPid();
  for (let i = 0; i < STORM; i++) daemon.kill('SIGHUP');
  await until('another worker serves', async () => {
    daemon.kill('SIGUSR2');
    return (await daemon.workerPid()) !== first;
  });
  // It waits for what is under way.
  await client.restart();
  await until('one worker is left', () => workersOf(daemon).length === 1);
  gate.open();
  for (const [i, wire] of wires.entries()) {
    const { id, run } = await wire.json();
    assert.deepEqual([id, (run as { code: number }).code], [i, 7]);
    wire.socket.end();
    assert.equal(await wire.line(), null);
  }
});

test('SIGTERM in the middle of a takeover stops the daemon, with 0, and the ends of runs are recorded', async () => {
  await using daemon = await startWithSteps();
  for (const step of ['successor:prepared', 'predecessor:frozen', 'successor:committed'] as const) {
    await (await daemon.connect()).run(sh(step, 'exec sleep 1000'));
    atStep(daemon, step, "process.kill(process.ppid, 'SIGTERM')");
    daemon.kill('SIGHUP');
    assert.equal(await daemon.exited(), 0, step);
    assert.ok(hasCome(daemon, step), step);
    await daemon.start();
    const run = await (await daemon.connect()).wait(step, { timeout_ms: 10_000 });
    assert.deepEqual([run.outcome, run.signal], ['killed', 'SIGTERM'], step);
  }
});

test('`stop` in the middle of a takeover stops the daemon too', async () => {
  await using daemon = await startWithSteps();
  const client = await daemon.connect();
  using wire = await Wire.open(daemon.socket);
  // What is asked for while everything stands still the successor does.
  atStep(daemon, 'predecessor:frozen', BLOCK);
  daemon.kill('SIGHUP');
  await until('everything stands still', () => hasCome(daemon, 'predecessor:frozen'));
  wire.send('stop {}');
  assert.equal(await daemon.exited(), 0);
  client.close();
});

test('a second SIGTERM in the middle of a takeover kills', async () => {
  await using daemon = await startWithSteps();
  atStep(daemon, 'predecessor:introduced', BLOCK);
  daemon.kill('SIGHUP');
  await until('the takeover has begun', () => hasCome(daemon, 'predecessor:introduced'));
  const got = (): number => daemon.output.filter((line) => line.includes('got SIGTERM')).length;
  daemon.kill('SIGTERM');
  await until('the keeper has got it', () => got() === 1);
  daemon.kill('SIGTERM');
  assert.equal(await daemon.exited(), 143);
});

test('a client that is told of events can ask for two restarts at once, and gets both', async () => {
  await using daemon = await TestDaemon.start(OS);
  const worker = await daemon.workerPid();
  using wire = await Wire.open(daemon.socket);
  wire.send('subscribe {"id":1}', 'restart {"id":2}', 'restart {"id":3}');
  const answers = [await wire.json(), await wire.json(), await wire.json()];
  assert.deepEqual(
    answers.map(({ id, ok }) => [id, ok]),
    [
      [1, true],
      [2, true],
      [3, true],
    ],
  );
  assert.notEqual(await daemon.workerPid(), worker);
});

/** Half a second in which nothing else happens in the process. */
const BLOCK = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)';
