// Runs in every state, and who waits for them, over restarts of the daemon.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import type { Client } from '../../src/client/index.ts';
import { type DaemonOptions, isAlive, TestDaemon, until } from '../support/daemon.ts';
import { Gate } from '../support/gate.ts';
import { childrenOf } from '../support/processes.ts';
import { executions, marked, sh } from '../support/runs.ts';
import { atStep, hasCome, releasesWithSteps, STEPS_ENV } from '../support/steps.ts';
import { Wire } from '../support/wire.ts';

const TAKEOVERS = Number(process.env.TAKEOVERS ?? 3);
const OS: DaemonOptions = { pools: '  os: { runtime: command, {user} }' };

/** What a connection is told of runs. */
class Events implements Disposable {
  readonly #wire: Wire;
  /** By event and key. */
  readonly counts = new Map<string, number>();

  private constructor(wire: Wire) {
    this.#wire = wire;
    void this.#listen();
  }

  static async of(daemon: TestDaemon): Promise<Events> {
    const wire = await Wire.open(daemon.socket);
    await wire.ask('subscribe {"id":1,"events":["queued","started","exited"]}');
    return new Events(wire);
  }

  async #listen(): Promise<void> {
    for (let line = await this.#wire.line(); line !== null; line = await this.#wire.line()) {
      const { event, run } = JSON.parse(line) as { event: string; run: { key: string } };
      const name = `${event} ${run.key}`;
      this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    }
  }

  /** Waits until the end of all these runs was told, and fails unless all was told once. */
  async assertToldOnce(keys: readonly string[]): Promise<void> {
    const told = (event: string): (number | undefined)[] =>
      keys.map((key) => this.counts.get(`${event} ${key}`));
    await until('all ends are told', () => told('exited').every((count) => count !== undefined));
    for (const event of ['queued', 'started', 'exited'])
      assert.deepEqual(
        told(event),
        keys.map(() => 1),
        event,
      );
  }

  [Symbol.dispose](): void {
    this.#wire[Symbol.dispose]();
  }
}

async function assertNoZombies({ keeperPid }: TestDaemon): Promise<void> {
  await until('no zombie is left', () => childrenOf(keeperPid).every(({ state }) => state !== 'Z'));
}

/** How runs end here: three by a code, one by a signal. */
const ENDS = [
  { script: 'exit 0', retcode: 0 },
  { script: 'exit 7', retcode: 7 },
  { script: 'exit 255', retcode: 255 },
  { script: 'kill -TERM $$', retcode: 143 },
] as const;

test(`short runs throughout ${TAKEOVERS} takeovers: each runs once, and its end is told once, as it was`, async () => {
  await using daemon = await TestDaemon.start(OS);
  const client = await daemon.connect();
  using events = await Events.of(daemon);
  const ended: { key: string; retcode: number }[] = [];
  let over = false;
  const starter = async (name: number): Promise<void> => {
    for (let n = 0; !over; n++) {
      const key = `short-${name}-${n}`;
      const { script, retcode } = ENDS[n % ENDS.length] ?? ENDS[0];
      await client.run(sh(key, `echo ran >> ${daemon.scratch}/ran-${key}; ${script}`));
      assert.equal((await client.wait(key)).retcode, retcode, key);
      ended.push({ key, retcode });
    }
  };
  const starters = Array.from({ length: 4 }, (_, name) => starter(name));
  for (let i = 0; i < TAKEOVERS; i++) {
    const { length } = ended;
    await client.restart();
    await until('runs go on', () => ended.length > length + 20);
  }
  over = true;
  await Promise.all(starters);
  await events.assertToldOnce(ended.map(({ key }) => key));
  for (const { key } of ended) assert.equal(executions(daemon, key), 1, key);
  await assertNoZombies(daemon);
});

/** Code that lets all who wait at the gate end: before the step is over, or nearly; nobody waits for ever there. */
function endOf({ path }: Gate, pids: readonly (number | null)[]): string {
  return `fs.writeFileSync(${JSON.stringify(path)}, '\\n'.repeat(${pids.length}));
    const until = Date.now() + 100;
    while (Date.now() < until && ${JSON.stringify(pids)}.some((pid) => fs.existsSync('/proc/' + pid)));`;
}

test('runs that end at any step of a takeover: each end is told once, as it was', async () => {
  using releases = releasesWithSteps();
  await using daemon = await TestDaemon.start({ ...OS, program: releases.program, env: STEPS_ENV });
  const client = await daemon.connect();
  using events = await Events.of(daemon);
  const keys: string[] = [];
  for (const step of [
    'predecessor:rehearsed',
    'predecessor:quiesced',
    'predecessor:frozen',
    'successor:frozen',
    'successor:adopted',
    'successor:committed',
  ] as const) {
    using gate = new Gate(daemon, step);
    const runs = ENDS.map((end, i) => ({ ...end, key: `${step}-${i}` }));
    keys.push(...runs.map(({ key }) => key));
    for (const { key, script } of runs) await client.run(sh(key, `read _ < ${gate.path}; ${script}`));
    const pids = await Promise.all(runs.map(async ({ key }) => (await client.status(key)).pid));
    const waiting = runs.map(({ key }) => client.wait(key));
    atStep(daemon, step, endOf(gate, pids));
    await client.restart();
    assert.ok(hasCome(daemon, step), step);
    for (const [i, run] of (await Promise.all(waiting)).entries())
      assert.equal(run.retcode, runs[i]?.retcode, run.key);
  }
  await events.assertToldOnce(keys);
  await assertNoZombies(daemon);
});

test('runs whose zygote has died end in mid-takeover: what the keeper reaps then is told once', async () => {
  using releases = releasesWithSteps();
  await using daemon = await TestDaemon.start({ ...OS, program: releases.program, env: STEPS_ENV });
  const client = await daemon.connect();
  using events = await Events.of(daemon);
  using gate = new Gate(daemon);
  const runs = ENDS.map((end, i) => ({ ...end, key: `orphan-${i}` }));
  for (const { key, script } of runs) await client.run(sh(key, `read _ < ${gate.path}; ${script}`));
  const pids = await Promise.all(runs.map(async ({ key }) => (await client.status(key)).pid));
  const zygote = await daemon.zygotePid('os');
  process.kill(zygote, 'SIGKILL');
  await until('another zygote serves', async () => (await daemon.zygotePid('os')) !== zygote);
  atStep(daemon, 'predecessor:frozen', endOf(gate, pids));
  await client.restart();
  for (const { key, retcode } of runs) assert.equal((await client.wait(key)).retcode, retcode, key);
  await events.assertToldOnce(runs.map(({ key }) => key));
  await assertNoZombies(daemon);
});

test('runs that wait, begin and go on are taken over, and so is everybody who wants to know of them', async () => {
  await using daemon = await TestDaemon.start({
    pools: '  os: { runtime: command, max_running: 1, {user} }',
  });
  const client = await daemon.connect();
  using events = await Events.of(daemon);
  using gate = new Gate(daemon);
  using patient = await Wire.open(daemon.socket);
  using follower = await Wire.open(daemon.socket);
  using original = await Wire.open(daemon.socket);
  using halfClosed = await Wire.open(daemon.socket);
  using halfSent = await Wire.open(daemon.socket);
  await client.run(sh('1', `echo begun; read _ < ${gate.path}; echo ended; exit 7`));
  await client.run(marked(daemon, { key: '2', pool: 'os', runtime: 'command', code: 8 }));
  const asked = performance.now();
  patient.send('wait {"id":"late","key":"1","timeout_ms":2500}', 'wait {"id":"never","key":"2"}');
  follower.send('logs {"id":1,"key":"1","follow":true}');
  assert.equal((await follower.json()).data, 'begun\n');
  original.send(
    'check {"hash":1}',
    'run {"hash":2,"argv":["true"]}',
    'restart {}',
    'check {"hash":1}',
    'free {"hash":2}',
  );
  for (const answer of ['Still running', 'OK'])
    assert.deepEqual(await original.json(), { error_text: answer });
  halfClosed.socket.end('wait {"id":1,"key":"1"}\n');
  halfSent.socket.write('status {"id":1,"k');

  await client.restart();

  const { error_text: restarted } = await original.json();
  assert.notEqual(restarted, undefined);
  assert.deepEqual(await original.json(), { error_text: 'Still running' });
  assert.equal((await original.json()).code, 'not_ended');
  halfSent.send('ey":"2"}');
  assert.equal(((await halfSent.json()).run as { state: string }).state, 'queued');
  const late = await patient.json();
  assert.deepEqual([late.id, late.code], ['late', 'wait_timeout']);
  const waited = performance.now() - asked;
  assert.ok(waited >= 2_400, `the deadline came after ${waited} ms`);
  gate.open();
  assert.equal(((await halfClosed.json()).run as { code: number }).code, 7);
  assert.equal(await halfClosed.line(), null);
  assert.deepEqual([(await follower.json()).data, (await follower.json()).end], ['ended\n', true]);
  assert.equal(((await patient.json()).run as { code: number }).code, 8);
  assert.equal(executions(daemon, '2'), 1);
  await events.assertToldOnce(['1', '2']);
});

test('a run between acceptance and fork begins once, and whoever asked for it is answered', async () => {
  await using daemon = await TestDaemon.start(OS);
  const client = await daemon.connect();
  const zygote = await daemon.zygotePid('os');
  using asker = await Wire.open(daemon.socket);
  process.kill(zygote, 'SIGSTOP');
  const { argv } = marked(daemon, { key: 'slow', pool: 'os', runtime: 'command', code: 3 });
  asker.send(`run {"id":1,"key":"slow","argv":${JSON.stringify(argv)}}`);
  await until('it begins', async () => (await stateOf(client, 'slow')) === 'starting');
  await client.restart();
  assert.equal(await stateOf(client, 'slow'), 'starting');
  process.kill(zygote, 'SIGCONT');
  const { id, ok, known } = await asker.json();
  assert.deepEqual({ id, ok, known }, { id: 1, ok: true, known: false });
  assert.equal((await client.wait('slow')).code, 3);
  assert.equal(executions(daemon, 'slow'), 1);
});

test('a zygote that is stopped does not keep its pool from serving after a takeover', async () => {
  await using daemon = await TestDaemon.start(OS);
  const client = await daemon.connect();
  const zygote = await daemon.zygotePid('os');
  process.kill(zygote, 'SIGSTOP');
  await client.restart();
  await client.run(sh('next', 'exit 4'));
  assert.equal((await client.wait('next', { timeout_ms: 20_000 })).code, 4);
  process.kill(zygote, 'SIGCONT');
  await until('the stopped zygote ends', () => !isAlive(zygote));
});

test('a generation that is being started when the daemon is replaced is started anew, and nothing of it is left', async () => {
  await using daemon = await TestDaemon.start({
    pools: '  web: { runtime: php, bootstrap: bootstrap.php, prefork: 0, {user} }',
    files: { 'bootstrap.php': "<?php while (is_file(__DIR__ . '/scratch/wait')) { usleep(10000); }" },
  });
  const client = await daemon.connect();
  fs.writeFileSync(`${daemon.scratch}/wait`, '');
  const reload = client.reload();
  const zygotes = (): number[] =>
    childrenOf(daemon.keeperPid)
      .concat(...childrenOf(daemon.keeperPid).map(({ pid }) => childrenOf(pid)))
      .filter(({ command }) => command.includes('zygote'))
      .map(({ pid }) => pid);
  await until('another zygote is being started', () => zygotes().length === 2);
  await client.restart();
  fs.rmSync(`${daemon.scratch}/wait`);
  const [{ generation } = { generation: 0 }] = await reload;
  assert.ok(generation > 2, `generation ${generation}`);
  await until('one zygote is left', () => zygotes().length === 1);
});

async function stateOf(client: Client, key: string): Promise<string> {
  return (await client.status(key).catch(() => ({ state: 'unknown' }))).state;
}
