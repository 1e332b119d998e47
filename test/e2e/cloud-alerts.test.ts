// Mails and the heartbeat of a real cloud, whose worker is killed meanwhile, with a real SMTP server and a watcher outside.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Run } from '../../src/api/index.ts';
import { type Mail, MailServer } from '../../src/cloud/notify/fixtures/mail-server.ts';
import { Receiver } from '../../src/cloud/notify/fixtures/receiver.ts';
import { TestCloud } from '../support/cloud.ts';
import { until } from '../support/daemon.ts';

const BEAT_MS = 1_000;

function configuration(mails: MailServer, watcher: Receiver): string {
  return `
alerts:
  gather: 1s
  channels:
    - name: mail
      kind: email
      smtp: smtp://rocksy:p%40ss%20word@127.0.0.1:${mails.port}
      from: Rocksy <rocksy@example.com>
      to: [ops@example.com, shop@example.com]
  heartbeat: { url: "${watcher.url}/beat", every: ${BEAT_MS}ms }
`;
}

async function trigger(cloud: TestCloud): Promise<Run> {
  const params = { project: 'shop', name: 'flaky' };
  const { key } = await cloud.client.call('triggerJob', { params, body: {} });
  return await cloud.ended(key);
}

async function killWorker(cloud: TestCloud): Promise<void> {
  const { workerPid } = cloud;
  process.kill(workerPid, 'SIGKILL');
  await until('another worker serves', () => cloud.workerPid !== workerPid && cloud.workerPid !== 0);
  await cloud.connected(1);
}

async function incidents(cloud: TestCloud) {
  return (await cloud.client.call('listIncidents', {})).items;
}

/** Resolves when so many notices are noted as delivered, and there are no others. */
async function delivered(cloud: TestCloud, count: number) {
  return await until(`${count} deliveries have arrived`, async () => {
    const { items } = await cloud.client.call('listDeliveries', {});
    return items.length === count && items.every(({ state }) => state === 'delivered') ? items : null;
  });
}

function header({ content }: Mail, name: string): string {
  return new RegExp(`^${name}: (.*)\r$`, 'm').exec(content)?.[1] ?? '';
}

test('a failure and its recovery are a mail each, and the heart beats on, over kill -9 of the worker', async () => {
  await using watcher = await Receiver.start();
  await using server = await MailServer.start();
  const { mails } = server;
  const begunMs = Date.now();
  await using cloud = await TestCloud.start({ more: configuration(server, watcher) });
  const host = await cloud.host();
  const good = path.join(host.scratch, 'good');
  await cloud.apply(`project: shop\njobs:\n  flaky: { argv: [test, -e, ${good}], pool: os }\n`);
  await watcher.until(1);

  // Killed when the mail is taken and nobody has heard so: this is the one that may come twice.
  server.hold();
  assert.equal((await trigger(cloud)).outcome, 'failed');
  await until('the failure is told', () => mails.length === 1);
  await killWorker(cloud);
  server.release();
  await until('it is told once more, as nobody knows that it was', () => mails.length === 2);
  await delivered(cloud, 1);

  // Killed when all is told, and when it fails once more, which is no news.
  await killWorker(cloud);
  await watcher.until(watcher.received.length + 1);
  assert.equal((await trigger(cloud)).outcome, 'failed');
  await until('it is the same incident', async () => (await incidents(cloud))[0]?.count === 2);
  assert.equal((await incidents(cloud)).length, 1);

  // Killed while its recovery is known and waits for others.
  fs.writeFileSync(good, '');
  assert.equal((await trigger(cloud)).outcome, 'succeeded');
  await until('it is over', async () => (await incidents(cloud))[0]?.state === 'recovered');
  assert.equal(mails.length, 2);
  await killWorker(cloud);
  await until('its recovery is told', () => mails.length > 2);
  const deliveries = await delivered(cloud, 2);

  await killWorker(cloud);
  await watcher.until(watcher.received.length + 1);
  const [opened, again, recovered, ...others] = mails;
  assert.ok(opened && again && recovered);
  assert.deepEqual(others, [], 'nothing else was ever told');
  assert.deepEqual(
    [opened, recovered].map((mail) => header(mail, 'Subject')),
    ['[Rocksy] shop/flaky failed', '[Rocksy] shop/flaky succeeded again'],
  );
  assert.equal(again.content, opened.content.replace(/(?<=^Date: ).*(?=\r$)/m, header(again, 'Date')));
  assert.deepEqual(
    [recovered, opened].map((mail) => header(mail, 'Message-ID')),
    deliveries.map(({ id }) => `<${id}@rocksy.invalid>`),
  );
  assert.match(header(opened, 'References'), /^<inc_.*>$/);
  assert.equal(header(recovered, 'References'), header(opened, 'References'), 'they are one thread');
  for (const { from, to, user } of mails) {
    assert.deepEqual([from, user], ['rocksy@example.com', 'rocksy']);
    assert.deepEqual(to, ['ops@example.com', 'shop@example.com']);
  }

  const beats = watcher.received;
  assert.ok(beats.every(({ method, path: at }) => method === 'GET' && at === '/beat'));
  const workers = 5;
  assert.ok(beats.length <= (Date.now() - begunMs) / BEAT_MS + workers, `${beats.length} beats`);
});
