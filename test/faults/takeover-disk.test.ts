// A restart while the state directory's disk is full.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import type { RocksyError } from '../../src/client/index.ts';
import { TestDaemon } from '../support/daemon.ts';
import { Gate } from '../support/gate.ts';
import { sh } from '../support/runs.ts';
import { SmallDisk } from '../support/small-disk.ts';

test('a restart on a full disk is refused; the daemon serves on, and takes over when there is space again', async () => {
  using disk = new SmallDisk(16);
  const options = { state: path.join(disk.path, 'var'), pools: '  os: { runtime: command, {user} }' };
  await using daemon = await TestDaemon.start({ ...options, more: 'min_free: 0B' });
  const client = await daemon.connect();
  using gate = new Gate(daemon);
  await client.run(sh('gated', `read _ < ${gate.path}; exit 7`));
  disk.fill();
  const error = await client.restart().then(
    () => assert.fail('it took over'),
    (error: RocksyError) => error,
  );
  assert.equal(error.code, 'takeover_refused');
  assert.match(error.output ?? '', /full|space/);
  assert.equal((await client.status('gated')).state, 'running');
  disk.clear();
  gate.open();
  assert.equal((await client.wait('gated')).code, 7);
  await client.restart();
  const crashes = daemon.output.filter((line) => line.includes('worker died'));
  assert.deepEqual(crashes, []);
});
