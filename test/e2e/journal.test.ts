// What a daemon leaves for the next one, with the same configuration or another.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from '../../src/client/index.ts';
import { isAlive, TestDaemon, until } from '../support/daemon.ts';
import { Gate } from '../support/gate.ts';
import { assertRanOnce, executions, JOBS, type Marked, marked, sh } from '../support/runs.ts';

const LEAVE = 'default_pool: os\nstop_runs: leave';
const OS = '  os: { runtime: command, {user} }';

function web(more = ''): string {
  return `  web: { runtime: php, bootstrap: ${JOBS}, prefork: 2, {user}${more} }`;
}

/** Resolves when the process is no more. */
async function hasEnded(pid: number): Promise<void> {
  await until(`process ${pid} has ended`, () => !isAlive(pid));
}

async function begin(daemon: TestDaemon, client: Client, run: Marked): Promise<void> {
  await client.run(marked(daemon, run));
  await until(`${run.key} has begun`, () => executions(daemon, run.key) === 1);
}

test('with stop_runs: leave runs live on over stop and start, and the zygotes with them', async () => {
  await using daemon = await TestDaemon.start({ more: LEAVE, pools: `${OS}\n${web()}` });
  using gate = new Gate(daemon);
  const runs: readonly Marked[] = [
    { key: 'php', pool: 'web', runtime: 'php', code: 7, gate },
    { key: 'command', pool: 'os', runtime: 'command', code: 8, gate },
  ];
  const first = await daemon.connect();
  for (const run of runs) await begin(daemon, first, run);
  const zygotes = [await daemon.zygotePid('web'), await daemon.zygotePid('os')];
  for (let restart = 0; restart < 2; restart++) {
    assert.equal(await daemon.stop(), 0);
    await daemon.start();
    await daemon.settled();
    const client = await daemon.connect();
    for (const { key } of runs) assert.equal((await client.status(key)).state, 'running');
    assert.deepEqual([await daemon.zygotePid('web'), await daemon.zygotePid('os')], zygotes);
  }
  assert.equal(await daemon.stop(), 0);
  gate.open();
  await daemon.start();
  const client = await daemon.connect();
  for (const run of runs) await assertRanOnce(daemon, client, run);
});

test('a start with another configuration begins a new generation, and the old one ends with its last run', async () => {
  const options = { more: LEAVE, pools: `${OS}\n${web()}` };
  await using daemon = await TestDaemon.start(options);
  using gate = new Gate(daemon);
  const run: Marked = { key: 'old', pool: 'web', runtime: 'php', code: 7, gate };
  await begin(daemon, await daemon.connect(), run);
  const zygotes = [await daemon.zygotePid('web'), await daemon.zygotePid('os')] as const;
  assert.equal(await daemon.stop(), 0);

  daemon.configure({ ...options, pools: `${OS}\n${web(', env: { RELEASE: two }')}` });
  await daemon.start();
  const client = await daemon.connect();
  await until('the new generation serves', async () => (await daemon.zygotePid('web')) !== zygotes[0]);
  assert.equal(await daemon.zygotePid('os'), zygotes[1], 'what has not changed stays');
  await client.run({
    key: 'new',
    class: 'Script',
    params: { php: 'return getenv("RELEASE");' },
    pool: 'web',
  });
  assert.equal((await client.wait('new')).result, 'two');
  assert.equal((await client.status('old')).state, 'running');
  gate.open();
  await assertRanOnce(daemon, client, run);
  await hasEnded(zygotes[0]);
});

test('the runs of a pool that the configuration has no more end as they would have, and are told', async () => {
  const options = {
    more: LEAVE,
    pools: `${OS}\n${web()}\n  gone: { runtime: command, max_running: 1, {user} }`,
  };
  await using daemon = await TestDaemon.start(options);
  using gate = new Gate(daemon);
  const run: Marked = { key: 'running', pool: 'gone', runtime: 'command', code: 7, gate };
  const first = await daemon.connect();
  await begin(daemon, first, run);
  await first.run(sh('waiting', 'echo ran', { pool: 'gone' }));
  const zygote = await daemon.zygotePid('gone');
  assert.equal(await daemon.stop(), 0);

  daemon.configure({ ...options, pools: `${OS}\n${web()}` });
  await daemon.start();
  const client = await daemon.connect();
  assert.ok((await client.pools()).every(({ name }) => name !== 'gone'));
  await assert.rejects(client.run(sh('late', 'true', { pool: 'gone' })), { code: 'unknown_pool' });
  const waiting = await client.wait('waiting');
  assert.equal(waiting.outcome, 'failed');
  assert.match(waiting.error ?? '', /the pool gone is not configured any more/);
  assert.equal((await client.status('running')).state, 'running');
  gate.open();
  await assertRanOnce(daemon, client, run);
  await hasEnded(zygote);
});

test('SIGTERM ends runs and waits for those that need a while; what waited runs after the next start', async () => {
  const pools = `  os: { runtime: command, max_running: 1, {user} }\n${web()}`;
  await using daemon = await TestDaemon.start({ more: 'default_pool: os\nstop_grace: 300ms', pools });
  const client = await daemon.connect();
  const stubborn = 'pcntl_signal(SIGTERM, SIG_IGN); echo "up\\n"; for (;;) usleep(20000);';
  await client.run({ key: 'stubborn', pool: 'web', class: 'Script', params: { php: stubborn } });
  const gentle = 'trap "sleep 0.1; exit 4" TERM; echo up; while :; do sleep 0.02; done';
  await client.run(sh('gentle', gentle));
  const waiting: Marked = { key: 'waiting', pool: 'os', runtime: 'command', code: 5 };
  await client.run(marked(daemon, waiting));
  for (const key of ['stubborn', 'gentle'])
    await until(`${key} is up`, async () => (await client.logs(key)).data.toString() === 'up\n');
  assert.equal(await daemon.stop(), 0);
  await daemon.start();
  const again = await daemon.connect();
  const outcome = async (key: string) => {
    const { outcome, code, signal } = await again.status(key);
    return [outcome, code, signal];
  };
  assert.deepEqual(await outcome('stubborn'), ['killed', null, 'SIGKILL']);
  assert.deepEqual(await outcome('gentle'), ['failed', 4, null]);
  await assertRanOnce(daemon, again, waiting);
});
