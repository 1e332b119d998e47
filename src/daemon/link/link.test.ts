import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Connection, Task } from '../connections/index.ts';
import { FakeCloud } from './fixtures/cloud.ts';
import { World } from './fixtures/world.ts';

test('a host joins once with a secret that is on the disk before, and shows it ever after', async () => {
  await using world = await World.create();
  const { cloud } = world;
  cloud.refusesJoin = { status: 503, code: 'starting', title: 'The cloud starts' };
  const link = world.start();
  await cloud.until(() => cloud.joins.length === 2);
  const { secret, host_id } = world.credential();
  assert.equal(host_id, null);
  cloud.refusesJoin = null;
  const { headers } = await cloud.link();
  const digest = createHash('sha256').update(String(secret)).digest('hex');
  for (const join of cloud.joins)
    assert.deepEqual(join, { token: 'token-1', name: 'web-1', credential_sha256: digest });
  assert.deepEqual(world.credential(), { secret, host_id: 'host-1', incarnation: 0 });
  assert.equal(headers.authorization, `Bearer host-1.${secret}`);
  assert.equal(headers['x-rocksy-incarnation'], '0');
  assert.equal(headers['sec-websocket-protocol'], 'rocksy-host.1');
  assert.equal(headers['sec-websocket-extensions'], undefined);

  await link.close();
  const joins = cloud.joins.length;
  fs.rmSync(world.tokenFile);
  world.start();
  assert.equal((await cloud.link()).headers.authorization, `Bearer host-1.${secret}`);
  assert.equal(cloud.joins.length, joins);
});

test('the credential is for nobody else to read, nor its folder, and nothing is left of writing it', async () => {
  await using world = await World.create();
  world.start();
  await world.cloud.link();
  const folder = path.dirname(world.credentialFile);
  assert.equal(fs.statSync(world.credentialFile).mode & 0o777, 0o600);
  assert.equal(fs.statSync(folder).mode & 0o777, 0o700);
  assert.deepEqual(fs.readdirSync(folder), ['credential.json']);
});

test('a join that is refused is told once with its remedy, and tried again with the token as it is then', async () => {
  await using world = await World.create();
  const { cloud } = world;
  cloud.refusesJoin = { status: 401, code: 'unknown_token', title: 'There is no such token' };
  world.start();
  await cloud.until(() => cloud.joins.length === 3);
  fs.writeFileSync(world.tokenFile, 'token-2');
  await cloud.until(() => cloud.joins.at(-1)?.token === 'token-2');
  cloud.refusesJoin = null;
  await cloud.link();
  const [warning, ...more] = world.warnings();
  assert.deepEqual(more, []);
  assert.equal(warning?.code, 'unknown_token');
  assert.equal(warning?.reason, 'There is no such token');
  assert.match(String(warning?.remedy), /put a new one in its place/);
});

test('a host without a token says where to put one', async () => {
  await using world = await World.create();
  fs.rmSync(world.tokenFile);
  world.start();
  await world.until(() => world.logged.length === 3);
  fs.writeFileSync(world.tokenFile, 'token-3');
  await world.cloud.link();
  assert.deepEqual(
    world.warnings().map(({ remedy }) => remedy),
    [`put a join token of the cloud into ${world.tokenFile}`],
  );
});

test('a link that is refused is told once with its remedy, and tried again', async () => {
  await using world = await World.create();
  const { cloud } = world;
  cloud.refusesLink = { status: 401, code: 'host_removed', title: 'The host was removed' };
  world.start();
  await cloud.until(() => cloud.dials === 4);
  cloud.refusesLink = { status: 409, code: 'newer_link', title: 'There is a newer link' };
  await cloud.until(() => cloud.dials === 7);
  cloud.refusesLink = null;
  await cloud.link();
  assert.deepEqual(
    world.warnings().map(({ code }) => code),
    ['host_removed', 'newer_link'],
  );
  assert.match(String(world.warnings()[0]?.remedy), /to join anew, stop rocksyd, remove .*credential\.json/);
});

test('requests go in as messages, and each answer comes out as one', async () => {
  await using world = await World.create();
  let connection: Connection | null = null;
  world.start({
    answer: async ({ name, fields }, asked) => {
      connection = asked;
      return { ok: true, name, n: fields.n };
    },
  });
  const link = await world.cloud.link();
  const answers = await Promise.all([1, 2, 3].map((n) => link.ask('status', { key: 'k', n })));
  assert.deepEqual(
    answers,
    [1, 2, 3].map((n) => ({ id: n, ok: true, name: 'status', n })),
  );
  const asked = connection as Connection | null;
  assert.equal(asked?.role, 'operator');
  for (const n of [1, 2, 3]) asked?.push('s', { event: 'log', n });
  for (const n of [1, 2, 3]) assert.deepEqual(await link.pushed.next(), { id: 's', event: 'log', n });
});

test('the first request may come together with the answer to the upgrade', async () => {
  await using world = await World.create();
  world.cloud.greeting = 'host {"id":"first","incarnation":1}';
  world.start();
  const link = await world.cloud.link();
  assert.deepEqual(await link.pushed.next(), { id: 'first', ok: true, name: 'host' });
});

const BAD: Readonly<Record<string, { send: string | Buffer; code: number }>> = {
  'a binary message': { send: Buffer.from('stats {"id":1}'), code: 1003 },
  'a message of two lines': { send: 'stats {"id":1}\nstats {"id":2}', code: 1008 },
  'a message that is too long': { send: `stats {"x":"${'x'.repeat(2_000)}"}`, code: 1009 },
};

for (const [what, { send, code }] of Object.entries(BAD)) {
  test(`${what} closes the link, and another one is opened`, async () => {
    await using world = await World.create();
    world.start();
    const link = await world.cloud.link();
    link.ws.send(send);
    assert.equal(await link.closed, code);
    assert.equal((await (await world.cloud.link()).ask('stats')).ok, true);
  });
}

test('a cloud that says nothing, not even to pings, is cut off; one that answers them is not', async () => {
  await using world = await World.create();
  world.start({ timing: { pingMs: 20, silenceMs: 500 } });
  const link = await world.cloud.link();
  let pings = 0;
  const pinged = Promise.withResolvers<void>();
  // For more than silenceMs, and only the pongs, which ws sends by itself, are heard.
  link.ws.on('ping', () => ++pings > 40 && pinged.resolve());
  await pinged.promise;
  assert.equal(link.ws.readyState, link.ws.OPEN);
  link.ws.pause();
  const next = await world.cloud.link();
  assert.equal((await next.ask('stats')).ok, true);
  assert.ok(
    world.logged.some(({ reason }) => /^nothing was heard of the cloud for 500 ms/.test(reason ?? '')),
  );
  link.ws.terminate();
});

test('a cloud that does not read what is pushed is cut off', async () => {
  await using world = await World.create();
  let connection: Connection | null = null;
  world.start({
    pushBytes: 1_000_000,
    timing: { lingerMs: 10 },
    answer: async (_request, asked) => {
      connection = asked;
      return { ok: true };
    },
  });
  const link = await world.cloud.link();
  await link.ask('subscribe');
  link.ws.pause();
  const asked = connection as Connection | null;
  const more = 'x'.repeat(100_000);
  // More than the kernel holds for it, and then more than the limit.
  while (asked?.closed.aborted === false) {
    asked.push('s', { event: 'log', more });
    await new Promise((resolve) => setImmediate(resolve));
  }
  await world.cloud.link();
  link.ws.terminate();
});

test('a link that was lost is opened again, also by another address, and the last incarnation is told', async () => {
  await using world = await World.create();
  const { port } = world.cloud;
  const link = world.start({ urls: ['http://127.0.0.1:1', world.cloud.url] });
  const first = await world.cloud.link();
  await link.keepIncarnation(7);
  assert.equal(world.credential().incarnation, 7);
  await world.cloud[Symbol.asyncDispose]();
  await first.closed;
  await using back = await FakeCloud.start(port);
  const { headers } = await back.link();
  assert.equal(headers['x-rocksy-incarnation'], '7');
});

test('at its end a link is closed with 1001, after what is owed', async () => {
  await using world = await World.create();
  let connection: Connection | null = null;
  const link = world.start({
    answer: async (_request, asked) => {
      connection = asked;
      return { ok: true };
    },
  });
  const cloudLink = await world.cloud.link();
  await cloudLink.ask('subscribe');
  (connection as Connection | null)?.push('s', { event: 'exited' });
  const [code] = await Promise.all([cloudLink.closed, link.close()]);
  assert.equal(code, 1001);
  assert.deepEqual(await cloudLink.pushed.next(), { id: 's', event: 'exited' });
  await world.cloud[Symbol.asyncDispose]();
  assert.equal(world.cloud.dials, 1);
});

test('for a takeover, nothing more is taken, and what is being written down is told of', async () => {
  await using world = await World.create();
  const asked: { name: string; task: Task; answer: () => void }[] = [];
  const heard = Promise.withResolvers<void>();
  const link = world.start({
    answer: ({ name }, _connection, task) =>
      new Promise((resolve) => {
        asked.push({ name, task, answer: () => resolve({ ok: true }) });
        if (asked.length === 2) heard.resolve();
      }),
  });
  const cloudLink = await world.cloud.link();
  const running = cloudLink.ask('run', { key: 'k' });
  const waiting = cloudLink.ask('wait', { key: 'k' });
  await heard.promise;
  link.suspend();
  assert.equal(link.isQuiet, false);
  asked[0]?.task.handOver(() => ({}));
  assert.equal(link.isQuiet, true);
  const late = cloudLink.ask('stats');
  for (const { answer } of asked) answer();
  await Promise.all([running, waiting]);
  assert.equal(asked.length, 2);
  link.resume();
  await world.until(() => asked.length === 3);
  asked[2]?.answer();
  assert.equal((await late).ok, true);
});
