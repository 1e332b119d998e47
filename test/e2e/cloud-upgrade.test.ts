// A new release of `rocksy server`, installed beside the old one.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { TestCloud } from '../support/cloud.ts';
import { until } from '../support/daemon.ts';
import { Releases } from '../support/releases.ts';

test('a new release of the server runs under the Node that it brings', async () => {
  using releases = new Releases();
  await using cloud = await TestCloud.start({ program: releases.cloudProgram });
  const version = releases.next();
  const release = path.join(fs.realpathSync(releases.cloudProgram), '../..');
  cloud.kill('SIGHUP');
  await until(
    'the new release serves',
    async () => (await cloud.client.call('status', {})).version === version,
  );
  const [node, ...args] = fs.readFileSync(`/proc/${cloud.workerPid}/cmdline`, 'utf8').split('\0');
  assert.equal(node, path.join(release, 'node_modules/node/bin/node'));
  assert.ok(args.includes(path.join(release, 'bin/rocksy.cjs')));
});
