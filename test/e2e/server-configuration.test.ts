// A file that is no good in the hands of `rocksy server`: it serves on, by what served last.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { start } from '../../src/cli/fixtures/rocksy.ts';
import { TestCloud } from '../support/cloud.ts';
import { until } from '../support/daemon.ts';

const fileOf = (cloud: TestCloud) => path.join(cloud.folder, 'rocksy.yaml');

async function startedMs(cloud: TestCloud): Promise<number> {
  return (await cloud.client.call('status', {})).started_ms;
}

test('a worker that crashes over a file that is no good goes on by the last one that served', async () => {
  await using cloud = await TestCloud.start();
  const good = fs.readFileSync(fileOf(cloud), 'utf8');
  for (const bad of ['bogus: 1', 'store: "postgres://127.0.0.1:1/nowhere"', 'state: ./elsewhere']) {
    await cloud.apply('project: p\njobs:\n  a: { pool: os, argv: ["true"] }\n');
    fs.writeFileSync(
      fileOf(cloud),
      `${good.replace(/state:.*/, bad.startsWith('state') ? '' : '$&')}\n${bad}\n`,
    );
    const before = await startedMs(cloud);
    process.kill(cloud.workerPid, 'SIGKILL');
    await until('another worker serves', async () => (await startedMs(cloud)) > before);
    assert.ok(
      cloud.output.some((line) => line.includes('goes on by the last one that served')),
      bad,
    );
    const { items } = await cloud.client.call('listJobs', {});
    assert.deepEqual(
      items.map(({ name }) => name),
      ['a'],
      bad,
    );
    cloud.output.length = 0;
  }
});

test('a server that somebody starts goes by the file as it is, or not at all', async () => {
  await using cloud = await TestCloud.start();
  const good = fs.readFileSync(fileOf(cloud), 'utf8');
  cloud.kill('SIGTERM');
  await cloud.exited();
  // As after a move to another store, which is not up yet: the former one must not be served again.
  fs.writeFileSync(fileOf(cloud), `${good}\nstore: "postgres://127.0.0.1:1/nowhere"\n`);
  cloud.output.length = 0;
  const started = cloud.start();
  const refusals = () => cloud.output.filter((line) => line.includes("can't be opened")).length;
  await until('it has been tried again and again', () => refusals() >= 3);
  assert.deepEqual(
    cloud.output.filter((line) => /listening on|goes on by the last one/.test(line)),
    [],
  );
  fs.writeFileSync(fileOf(cloud), good);
  await started;
});

test('a restart into a file that is no good is refused before anything is put down', async () => {
  await using cloud = await TestCloud.start();
  const good = fs.readFileSync(fileOf(cloud), 'utf8');
  const [worker, started] = [cloud.workerPid, await startedMs(cloud)];
  for (const bad of ['bogus: 1', 'store: "postgres://127.0.0.1:1/nowhere"', 'state: ./elsewhere']) {
    fs.writeFileSync(
      fileOf(cloud),
      `${good.replace(/state:.*/, bad.startsWith('state') ? '' : '$&')}\n${bad}\n`,
    );
    cloud.output.length = 0;
    cloud.kill('SIGHUP');
    await until('it is refused', () => cloud.output.some((line) => line.includes('this version serves on')));
    assert.deepEqual([cloud.workerPid, await startedMs(cloud)], [worker, started], bad);
  }
  fs.writeFileSync(fileOf(cloud), good);
  cloud.kill('SIGHUP');
  await until('another worker serves', async () => (await startedMs(cloud)) > started);
});

test('rocksy server restart returns when the new version serves, or says why nothing has changed', async () => {
  await using cloud = await TestCloud.start();
  await cloud.host();
  const good = fs.readFileSync(fileOf(cloud), 'utf8');
  const restart = () => start(['server', 'restart'], { env: { ROCKSY_URL: `unix:${cloud.socket}` } }).ended;
  const before = await startedMs(cloud);
  const done = await restart();
  assert.equal(done.code, 0, done.err);
  assert.match(done.out, /^restarted: rocksy \S+ serves\n$/);
  const after = await startedMs(cloud);
  assert.ok(after > before);
  fs.writeFileSync(fileOf(cloud), `${good}\nbogus: 1\n`);
  const refused = await restart();
  assert.deepEqual([refused.code, refused.out], [1, '']);
  assert.match(
    refused.err,
    /^rocksy: Nothing has changed: the new version ended with code 1.*\n.*bogus: unknown key/,
  );
  assert.equal(await startedMs(cloud), after);
  await cloud.connected(1);
});
