// A restart with another configuration: what is new begins, what is gone ends, what is the same stays open.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { TestDaemon, until } from '../support/daemon.ts';
import { Gate } from '../support/gate.ts';
import { sh } from '../support/runs.ts';
import { connected, Wire } from '../support/wire.ts';

const OS = '  os: { runtime: command, {user} }';
const BOTH = `${OS}\n  more: { runtime: command, {user} }`;

/** A port that nobody has at the moment. */
async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Its listening sockets, as the kernel knows them. */
function listeningSockets(pid: number): string[] {
  const listening = ['tcp', 'tcp6', 'unix'].flatMap((kind) =>
    fs
      .readFileSync(`/proc/net/${kind}`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      // st 0A is TCP_LISTEN, the flag __SO_ACCEPTCON of unix sockets: proc(5).
      .flatMap((fields) =>
        kind === 'unix'
          ? fields[3] === '00010000'
            ? [fields[6]]
            : []
          : fields[3] === '0A'
            ? [fields[9]]
            : [],
      ),
  );
  const known = new Set(listening.map((inode) => `socket:[${inode}]`));
  return fs
    .readdirSync(`/proc/${pid}/fd`)
    .map((fd) => fs.readlinkSync(`/proc/${pid}/fd/${fd}`, 'utf8'))
    .filter((target) => known.has(target))
    .toSorted();
}

test('listeners are added and removed; who is connected stays, and the others keep their sockets', async () => {
  await using daemon = await TestDaemon.start({ pools: OS });
  const before = listeningSockets(daemon.keeperPid);
  assert.equal(before.length, 1);
  const client = await daemon.connect();
  const port = await freePort();
  const second = `${daemon.folder}/second.sock`;

  daemon.configure({ pools: OS, more: 'auth: none', listen: [`tcp://127.0.0.1:${port}`, `unix:${second}`] });
  await client.restart();
  const worker = await daemon.workerPid();
  const during = listeningSockets(daemon.keeperPid);
  assert.equal(during.length, 3);
  assert.ok(during.includes(before[0] ?? ''), 'the first listener is the same socket');
  assert.deepEqual(listeningSockets(worker), during, 'the worker accepts on the sockets of the keeper');
  using tcp = await Wire.open(port);
  using unix = await Wire.open(second);
  for (const wire of [tcp, unix]) assert.equal((await wire.ask('hello {"id":1}')).ok, true);

  daemon.configure({ pools: OS });
  await client.restart();
  // The keeper closes them as soon as it hears that the new worker serves, as the client does.
  await until('the others are closed', () => listeningSockets(daemon.keeperPid).length === 1);
  assert.deepEqual(listeningSockets(daemon.keeperPid), before);
  assert.deepEqual(listeningSockets(await daemon.workerPid()), before);
  await assert.rejects(connected(port), { code: 'ECONNREFUSED' });
  await assert.rejects(connected(second), { code: 'ENOENT' });
  assert.ok(fs.existsSync(daemon.socket));
  for (const wire of [tcp, unix]) assert.equal((await wire.ask('hello {"id":2}')).role, 'admin');

  // A worker that crashes finds the listeners of the last configuration, not those of the start.
  daemon.configure({ pools: OS, listen: [`unix:${second}`] });
  await client.restart();
  process.kill(await daemon.workerPid(), 'SIGKILL');
  using again = await Wire.open(second);
  assert.equal((await again.ask('hello {"id":1}')).ok, true);
});

test('a pool is added, and one is removed: what runs in it ends in peace and is recorded', async () => {
  await using daemon = await TestDaemon.start({ pools: OS, more: 'default_pool: os' });
  const client = await daemon.connect();
  daemon.configure({ pools: BOTH, more: 'default_pool: os' });
  await client.restart();
  using gate = new Gate(daemon);
  const script = `echo begun; read _ < ${gate.path}; exit 7`;
  await client.run(sh('there', script, { pool: 'more' }));
  await client.run(sh('here', script));
  const zygote = await daemon.zygotePid('more');

  daemon.configure({ pools: OS, more: 'default_pool: os' });
  await client.restart();
  assert.deepEqual(
    (await client.pools()).map(({ name }) => name),
    ['os'],
  );
  await assert.rejects(client.run(sh('late', 'exit 0', { pool: 'more' })), { code: 'unknown_pool' });
  assert.equal((await client.status('there')).state, 'running');
  gate.open();
  for (const key of ['there', 'here']) assert.equal((await client.wait(key)).code, 7, key);
  assert.equal((await client.logs('there')).data.toString(), 'begun\n');
  await until('the zygote of the removed pool ends', () => !fs.existsSync(`/proc/${zygote}`));
});

test('a pool that has changed gets a new generation; one that has not keeps its own, and so do runs', async () => {
  const changed = BOTH.replace('more: { ', 'more: { env: { COLOUR: blue }, ');
  const more = 'default_pool: os';
  await using daemon = await TestDaemon.start({ pools: BOTH, more });
  const client = await daemon.connect();
  using gate = new Gate(daemon);
  await client.run(sh('before', `read _ < ${gate.path}; echo $COLOUR`, { pool: 'more' }));
  const [os, old] = [await daemon.zygotePid('os'), await daemon.zygotePid('more')];
  daemon.configure({ pools: changed, more });
  await client.restart();
  await until('a new generation serves', async () => (await daemon.zygotePid('more')) !== old);
  await client.run(sh('after', 'echo $COLOUR', { pool: 'more' }));
  await client.wait('after');
  gate.open();
  await client.wait('before');
  assert.equal((await client.logs('after')).data.toString(), 'blue\n');
  assert.equal((await client.logs('before')).data.toString(), '\n');
  assert.equal(await daemon.zygotePid('os'), os);
});

/** An `auth` that knows these tokens; each is the name of its role. */
function tokens(...roles: string[]): string {
  const lines = roles.map((role) => {
    const sha256 = createHash('sha256').update(role).digest('hex');
    return `    - { name: ${role}, role: ${role}, sha256: ${sha256} }`;
  });
  return ['auth:', '  tokens:', ...lines, ''].join('\n');
}

test('tokens and limits change; who is in keeps the role that was given to him', async () => {
  const port = await freePort();
  const listen = [`tcp://127.0.0.1:${port}`];
  await using daemon = await TestDaemon.start({ pools: OS, listen, more: tokens('viewer', 'operator') });
  using viewer = await Wire.open(port);
  assert.equal((await viewer.ask('hello {"token":"viewer"}')).role, 'viewer');
  using operator = await Wire.open(port);
  assert.equal((await operator.ask('hello {"token":"operator"}')).role, 'operator');
  using nobody = await Wire.open(port);

  daemon.configure({ pools: OS, listen, more: `${tokens('viewer')}limits: { line: 1KiB }` });
  await (await daemon.connect()).restart();
  assert.equal((await viewer.ask('cancel {"id":1,"key":"x"}')).code, 'forbidden');
  assert.equal((await operator.ask('cancel {"id":1,"key":"x"}')).code, 'not_found');
  assert.equal((await nobody.ask('list {"id":1}')).code, 'unauthorized');
  assert.equal((await nobody.ask('hello {"id":2,"token":"operator"}')).code, 'unauthorized');
  assert.equal((await viewer.ask(`status {"key":"${'x'.repeat(2_000)}"}`)).code, 'line_too_long');
});

test('restart with reload starts new generations of all pools in the new process', async () => {
  await using daemon = await TestDaemon.start({ pools: BOTH, more: 'default_pool: os' });
  const client = await daemon.connect();
  const [worker, os] = [await daemon.workerPid(), await daemon.zygotePid('os')];
  using gate = new Gate(daemon);
  await client.run(sh('old', `read _ < ${gate.path}; exit 3`));
  const { pools } = await client.restart({ reload: true });
  assert.deepEqual(
    pools.toSorted((a, b) => a.name.localeCompare(b.name)),
    [
      { name: 'more', generation: 2 },
      { name: 'os', generation: 2 },
    ],
  );
  assert.notEqual(await daemon.workerPid(), worker);
  assert.notEqual(await daemon.zygotePid('os'), os);
  assert.equal((await client.status('old')).generation, 1);
  gate.open();
  assert.equal((await client.wait('old')).code, 3);
});
