// A host and its cloud: joining, runs over the link, what the cloud may not do, takeovers, and a cloud that goes away.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { type CloudLink, FakeCloud, type Fields } from '../../src/daemon/link/fixtures/cloud.ts';
import { bootId } from '../../src/posix/index.ts';
import { TestDaemon } from '../support/daemon.ts';
import { Gate } from '../support/gate.ts';
import { sh } from '../support/runs.ts';
import { Wire } from '../support/wire.ts';

const POOLS = '  os: { runtime: command, {user} }\n  own: { runtime: command, {user} }';

/** A daemon that lends its pool `os` to a cloud, and keeps `own`, its default, for itself. */
async function hostOf(cloud: FakeCloud): Promise<TestDaemon> {
  const join = `{ url: ${cloud.url}, token_file: ./join-token, name: web-1, labels: { zone: a }, capacity: 3, pools: [os] }`;
  return await TestDaemon.start({
    pools: POOLS,
    more: `default_pool: own\njoin: ${join}`,
    files: { 'join-token': 'token-1\n' },
  });
}

/** The next link, as the cloud begins it: it says its number, and wants to hear of ends. */
async function linked(cloud: FakeCloud, incarnation: number): Promise<CloudLink> {
  const link = await cloud.link();
  assert.equal((await link.ask('host', { incarnation })).ok, true);
  assert.equal((await link.ask('subscribe', { events: ['exited'] })).ok, true);
  return link;
}

const keysOf = ({ runs }: Fields): string[] => (runs as { key: string }[]).map(({ key }) => key);

async function ended(link: CloudLink): Promise<unknown> {
  const { event, run } = (await link.pushed.next()) as {
    event: string;
    run: { key: string; retcode: number };
  };
  assert.equal(event, 'exited');
  return { key: run.key, retcode: run.retcode };
}

test('a host joins, and a run of the cloud goes from its start to its being freed', async () => {
  await using cloud = await FakeCloud.start();
  await using daemon = await hostOf(cloud);
  const link = await cloud.link();
  assert.equal(cloud.joins[0]?.token, 'token-1');
  const host = await link.ask('host', { incarnation: 4 });
  assert.partialDeepStrictEqual(host, {
    ok: true,
    name: 'web-1',
    boot_id: bootId(),
    labels: { zone: 'a' },
    capacity: 3,
    pools: [{ name: 'os', runtime: 'command', max_running: 1000 }],
  });
  const credential = path.join(daemon.state, 'cloud/credential.json');
  assert.equal(fs.statSync(credential).mode & 0o777, 0o600);
  assert.equal(fs.statSync(path.dirname(credential)).mode & 0o777, 0o700);
  assert.partialDeepStrictEqual(JSON.parse(fs.readFileSync(credential, 'utf8')), {
    host_id: 'host-1',
    incarnation: 4,
  });

  await link.ask('subscribe', { events: ['exited'] });
  assert.partialDeepStrictEqual(await link.ask('run', { ...sh('there', 'echo hello; exit 3') }), {
    ok: true,
    known: false,
  });
  assert.deepEqual(await ended(link), { key: 'there', retcode: 3 });
  assert.deepEqual(keysOf(await link.ask('list', { state: 'ended' })), ['there']);
  assert.partialDeepStrictEqual(await link.ask('logs', { key: 'there' }), { data: 'hello\n', end: true });
  assert.partialDeepStrictEqual(await link.ask('run', { ...sh('there', 'exit 3') }), { known: true });
  assert.equal((await link.ask('free', { key: 'there' })).ok, true);
  assert.deepEqual(keysOf(await link.ask('list')), []);
  assert.partialDeepStrictEqual(await link.ask('logs', { key: 'there' }), { data: 'hello\n', end: true });
  assert.partialDeepStrictEqual(await link.ask('run', { ...sh('there', 'exit 3') }), { known: true });
});

test('the cloud sees its own runs only; clients of the host see all', async () => {
  await using cloud = await FakeCloud.start();
  await using daemon = await hostOf(cloud);
  const link = await linked(cloud, 1);
  const client = await daemon.connect();
  using gate = new Gate(daemon, 'end');
  await client.run(sh('here', `read _ < ${gate.path}`));
  await link.ask('run', { ...sh('there', 'exit 0') });
  for (const name of ['status', 'wait', 'cancel', 'free', 'logs'])
    assert.equal((await link.ask(name, { key: 'here' })).code, 'not_found', name);
  assert.equal((await link.ask('signal', { key: 'here', signal: 'TERM' })).code, 'not_found');
  assert.partialDeepStrictEqual(await link.ask('run', { ...sh('here', 'exit 0') }), {
    code: 'forbidden',
    message: "The key here is that of a run which this host's own clients started",
  });
  gate.open();
  await client.wait('here');
  assert.equal((await link.ask('run', { ...sh('here', 'exit 0') })).code, 'forbidden');
  // Of both ends only that of its own run was pushed.
  assert.deepEqual(await ended(link), { key: 'there', retcode: 0 });
  await link.ask('run', { ...sh('there-2', 'exit 0') });
  assert.deepEqual(await ended(link), { key: 'there-2', retcode: 0 });
  assert.deepEqual(keysOf(await link.ask('list')), ['there-2', 'there']);
  const all = await Array.fromAsync(client.list());
  assert.deepEqual(
    all.map(({ key }) => key),
    ['there-2', 'there', 'here'],
  );
});

test('the cloud starts runs in the pools that it is lent, and can say nothing that is for the host alone', async () => {
  await using cloud = await FakeCloud.start();
  await using daemon = await hostOf(cloud);
  const link = await linked(cloud, 1);
  const argv = ['true'];
  for (const pool of ['own', undefined]) {
    const answer = await link.ask('run', { key: 'k', argv, ...(pool === undefined ? {} : { pool }) });
    assert.equal(answer.code, 'forbidden', pool ?? 'the default pool');
  }
  const { pools } = await link.ask('pools');
  assert.deepEqual(
    (pools as { name: string }[]).map(({ name }) => name),
    ['os'],
  );
  for (const name of ['hello', 'check', 'terminate', 'reload', 'drain', 'restart', 'stop', 'bye', 'nonsense'])
    assert.equal((await link.ask(name)).code, 'forbidden', name);
  assert.equal((await link.ask('stats')).ok, true);
  using wire = await Wire.open(daemon.socket);
  assert.equal((await wire.ask('host {"id":1,"incarnation":9}')).code, 'forbidden');
});

test('over a takeover a run goes on, and the successor dials a link of its own', async () => {
  await using cloud = await FakeCloud.start();
  await using daemon = await hostOf(cloud);
  const first = await linked(cloud, 1);
  const client = await daemon.connect();
  using gate = new Gate(daemon, 'end');
  await first.ask('run', { ...sh('over', `read _ < ${gate.path}; exit 5`) });
  // It would keep a takeover waiting, if that waited for a link.
  void first.ask('wait', { key: 'over' });
  await client.restart();
  await first.closed;
  const second = await linked(cloud, 2);
  assert.equal(second.headers['x-rocksy-incarnation'], '1');
  assert.deepEqual(keysOf(await second.ask('list', { state: 'active' })), ['over']);
  gate.open();
  assert.deepEqual(await ended(second), { key: 'over', retcode: 5 });
  assert.equal(cloud.joins.length, 1);
});

test('a cloud that was away finds what has ended meanwhile', async () => {
  let port = 0;
  await using daemon = await (async () => {
    await using cloud = await FakeCloud.start();
    ({ port } = cloud);
    const host = await hostOf(cloud);
    const link = await linked(cloud, 1);
    await link.ask('run', { ...sh('meanwhile', 'exit 6') });
    return host;
  })();
  const client = await daemon.connect();
  assert.equal((await client.wait('meanwhile')).retcode, 6);
  await using cloud = await FakeCloud.start(port);
  const link = await linked(cloud, 2);
  const { runs } = await link.ask('list', { state: 'ended' });
  assert.partialDeepStrictEqual(runs, [{ key: 'meanwhile', retcode: 6 }]);
});

test('a daemon that stops tells of the ends of its runs, and closes the link with 1001', async () => {
  await using cloud = await FakeCloud.start();
  await using daemon = await hostOf(cloud);
  const link = await linked(cloud, 1);
  await link.ask('run', { ...sh('stopped', 'exec sleep 1000') });
  assert.equal(await daemon.stop(), 0);
  assert.equal(await link.closed, 1001);
  assert.deepEqual(await ended(link), { key: 'stopped', retcode: 143 });
});
