// 200 runs in progress, and then somebody dies by SIGKILL.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { Client } from '../../src/client/index.ts';
import { isAlive, TestDaemon, until } from '../support/daemon.ts';
import { Gate } from '../support/gate.ts';
import { assertRanOnce, executions, JOBS, type Marked, marked } from '../support/runs.ts';
import { connected, Wire } from '../support/wire.ts';

const COUNT = 200;

let daemon: TestDaemon;

before(async () => {
  daemon = await TestDaemon.start({
    more: 'default_pool: os',
    pools: [
      `  web: { runtime: php, bootstrap: ${JOBS}, prefork: 4, {user} }`,
      '  os: { runtime: command, {user} }',
    ].join('\n'),
  });
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
});

/** Half of them php, half commands, each with an exit code of its own; half of each wait at either gate. */
function manyRuns(name: string, gates: readonly [Gate, Gate]): Marked[] {
  return Array.from({ length: COUNT }, (_, code) => ({
    key: `${name}-${code}`,
    ...(code % 2 === 0
      ? ({ pool: 'web', runtime: 'php' } as const)
      : ({ pool: 'os', runtime: 'command' } as const)),
    code,
    gate: code % 4 < 2 ? gates[0] : gates[1],
  }));
}

/** Starts them, and waits until the code of each has begun. Resolves with their pids. */
async function begin(client: Client, runs: readonly Marked[]): Promise<number[]> {
  await Promise.all(runs.map((run) => client.run(marked(daemon, run))));
  await until('all runs are in progress', () => runs.every(({ key }) => executions(daemon, key) === 1));
  return await Promise.all(
    runs.map(({ key }) => until(`${key} has a pid`, async () => (await client.status(key)).pid)),
  );
}

async function assertRunning(client: Client, runs: readonly Marked[]): Promise<void> {
  const states = await Promise.all(runs.map(async ({ key }) => (await client.status(key)).state));
  assert.deepEqual([...new Set(states)], ['running']);
}

async function assertAllRanOnce(client: Client, runs: readonly Marked[]): Promise<void> {
  await Promise.all(runs.map((run) => assertRanOnce(daemon, client, run)));
}

/** Connects again and again until told to stop; a connection that is refused is a failure. */
class Newcomers {
  readonly #stop = new AbortController();
  connected = 0;
  served = 0;
  readonly #done = Promise.all([this.#come(), this.#ask()]);

  /** At a pace that leaves the accept queue room for all who come while nobody accepts. */
  async #come(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const socket = await connected(daemon.socket);
      this.connected++;
      socket.destroy();
      await wait(5);
    }
  }

  async #ask(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      using wire = await Wire.open(daemon.socket);
      // Whoever had come in before the kill may hear nothing more.
      wire.send('check {"hash":1}');
      if ((await wire.line().catch(() => null)) !== null) this.served++;
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}

/** Those behind the first gate have ended, those behind the second go on until it is opened. */
async function assertHalves(
  client: Client,
  runs: readonly Marked[],
  first: Gate,
  second: Gate,
): Promise<void> {
  await assertAllRanOnce(
    client,
    runs.filter(({ gate }) => gate === first),
  );
  await assertRunning(
    client,
    runs.filter(({ gate }) => gate === second),
  );
  second.open();
  await assertAllRanOnce(client, runs);
}

test('200 runs in progress survive kill -9 of the worker, and nobody who connects meanwhile is refused', async () => {
  using first = new Gate(daemon, 'worker-1');
  using second = new Gate(daemon, 'worker-2');
  const client = await daemon.connect();
  const runs = manyRuns('worker', [first, second]);
  await begin(client, runs);
  const newcomers = new Newcomers();
  await until('newcomers are served', () => newcomers.served > 10);
  const worker = await daemon.workerPid();
  process.kill(worker, 'SIGKILL');
  const { connected } = newcomers;
  first.open();
  await until('another worker is there', async () => (await daemon.workerPid()) !== worker);
  assert.ok(newcomers.connected > connected + 10, 'many came while there was no worker');
  const { served } = newcomers;
  await until('newcomers are served again', () => newcomers.served > served + 10);
  await newcomers.stop();
  await assertRunning(
    client,
    runs.filter(({ gate }) => gate === second),
  );
  second.open();
  await assertAllRanOnce(client, runs);
});

test('200 runs in progress survive kill -9 of both zygotes; their outcomes come through the keeper', async () => {
  using first = new Gate(daemon, 'zygote-1');
  using second = new Gate(daemon, 'zygote-2');
  const client = await daemon.connect();
  const runs = manyRuns('zygote', [first, second]);
  await begin(client, runs);
  for (const pool of ['web', 'os']) process.kill(await daemon.zygotePid(pool), 'SIGKILL');
  first.open();
  await assertHalves(client, runs, first, second);
  for (const run of runs) assert.ok(((await client.status(run.key)).max_rss_bytes ?? 0) > 0, run.key);
});

test('200 runs in progress survive kill -9 of the keeper, whether they end before or after the next start', async () => {
  using first = new Gate(daemon, 'keeper-1');
  using second = new Gate(daemon, 'keeper-2');
  const runs = manyRuns('keeper', [first, second]);
  const pids = await begin(await daemon.connect(), runs);
  await daemon.killAll();
  first.open();
  await until('half of them have ended', () => pids.filter(isAlive).length === COUNT / 2);
  await daemon.start();
  const client = await daemon.connect();
  await assertHalves(client, runs, first, second);
});
