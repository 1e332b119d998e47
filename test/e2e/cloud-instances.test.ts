// Jobs that are to have so many instances at all times, and alerts, over a real cloud and a real host.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { TestCloud } from '../support/cloud.ts';
import { until } from '../support/daemon.ts';

const active = async (cloud: TestCloud, job: string) => {
  const query = { project: 'shop', job, state: 'running' } as const;
  return (await cloud.client.call('listRuns', { query })).items;
};

test('a job has as many instances as it wants: what dies is replaced, what is too much ends', async () => {
  await using cloud = await TestCloud.start();
  await cloud.host();
  const apply = (count: number) =>
    cloud.apply(
      `project: shop\njobs:\n  consumer: { argv: [sleep, "1000"], pool: os, instances: ${count}, kill_after: 1s }\n`,
    );
  const running = (count: number) =>
    until(`${count} instances run`, async () => {
      const runs = await active(cloud, 'consumer');
      return runs.length === count ? runs : null;
    });
  await apply(3);
  const [first] = await running(3);
  assert.equal(first?.cause, 'instance');
  const { instances } = await cloud.client.call('getJob', { params: { project: 'shop', name: 'consumer' } });
  assert.deepEqual([instances?.wanted, instances?.present, instances?.backlog], [3, 3, null]);
  await cloud.client.call('cancelRun', { params: { key: first.key } });
  await until('another one has taken its place', async () => {
    const runs = await active(cloud, 'consumer');
    return runs.length === 3 && runs.every(({ key }) => key !== first.key);
  });
  cloud.kill('SIGKILL');
  await cloud.exited();
  await cloud.start();
  await cloud.connected(1);
  await running(3);
  await apply(1);
  await running(1);
  await cloud.apply('project: shop\njobs:\n  other: { argv: ["true"], pool: os }\n');
  await until('none is left', async () => (await cloud.client.call('status', {})).active === 0);
});

test('instances follow a backlog, to none and back', async () => {
  await using cloud = await TestCloud.start({ more: 'instances: { allow_commands: true }' });
  await cloud.host();
  const backlog = path.join(cloud.folder, 'backlog');
  fs.writeFileSync(backlog, '25');
  await cloud.apply(`
project: shop
jobs:
  consumer:
    argv: [sleep, "1000"]
    pool: os
    instances: { min: 0, max: 4, per: 10, every: 1s, cool_down: 1s, command: [cat, ${backlog}] }
`);
  const running = (count: number) =>
    until(`${count} instances run`, async () => (await active(cloud, 'consumer')).length === count);
  await running(3);
  fs.writeFileSync(backlog, '1000');
  await running(4);
  fs.writeFileSync(backlog, '0');
  await running(0);
  fs.writeFileSync(backlog, '1');
  await running(1);
});

test('a job that fails is told once, by a signed request, and that it has recovered', async () => {
  const received: { readonly body: string; readonly headers: http.IncomingHttpHeaders }[] = [];
  const receiver = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ body: Buffer.concat(chunks).toString(), headers: request.headers });
      response.end();
    });
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const { port } = receiver.address() as AddressInfo;
  const key = Buffer.alloc(32, 7);
  const channel = `{ name: hook, kind: webhook, url: "http://127.0.0.1:${port}/", secret: "whsec_${key.toString('base64')}" }`;
  await using cloud = await TestCloud.start({ more: `alerts: { gather: 100ms, channels: [${channel}] }` });
  const host = await cloud.host();
  const good = path.join(host.scratch, 'good');
  await cloud.apply(`project: shop\njobs:\n  flaky: { argv: [test, -e, ${good}], pool: os }\n`);
  const trigger = async () => {
    const run = await cloud.client.call('triggerJob', {
      params: { project: 'shop', name: 'flaky' },
      body: {},
    });
    await cloud.ended(run.key);
  };
  await trigger();
  await trigger();
  await until('it is an incident', async () => {
    const { items } = await cloud.client.call('listIncidents', {});
    return items.some(({ job, kind, count }) => job === 'shop/flaky' && kind === 'failed' && count === 2);
  });
  await until('somebody is told', () => received.length > 0);
  const [{ body, headers } = { body: '', headers: {} }] = received;
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  assert.equal(
    headers['webhook-signature'],
    `v1,${createHmac('sha256', key).update(signed).digest('base64')}`,
  );
  assert.match(body, /shop\/flaky/);
  fs.writeFileSync(good, '');
  await trigger();
  await until('its recovery is told', () => received.length > 1);
  assert.match(received[1]?.body ?? '', /recovered/);
  receiver.close();
});
