// A file that is no good in the hands of `rocksy server`: it serves on, by what served last.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
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
