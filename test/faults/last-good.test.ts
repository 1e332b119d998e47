import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { TestDaemon } from '../support/daemon.ts';

const POOLS = '  os: { runtime: command, {user} }';

test('a worker that crashes over a configuration that is no good meanwhile goes on by the last one that served', async () => {
  await using daemon = await TestDaemon.start({ pools: POOLS });
  await using other = net.createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const taken = `tcp://127.0.0.1:${(other.address() as net.AddressInfo).port}`;
  for (const change of [{ more: 'nonsense: 3\n' }, { listen: [taken], more: 'auth: none\n' }]) {
    daemon.configure({ pools: POOLS, ...change });
    const before = await daemon.workerPid();
    process.kill(before, 'SIGKILL');
    const after = await daemon.workerPid();
    assert.notEqual(after, before);
    const client = await daemon.connect();
    await assert.rejects(client.restart(), { code: 'takeover_refused' });
    assert.equal(await daemon.workerPid(), after);
  }
  assert.equal(fs.statSync(path.join(daemon.state, 'last-good.yaml')).mode & 0o777, 0o600);
  assert.match(daemon.output.join('\n'), /goes on by the last one that served/);
});

test('a restart does not move the state directory', async () => {
  await using daemon = await TestDaemon.start({ pools: POOLS });
  daemon.write(
    'rocksyd.yaml',
    fs
      .readFileSync(path.join(daemon.folder, 'rocksyd.yaml'), 'utf8')
      .replace(/^state: .*$/m, 'state: ./elsewhere'),
  );
  const client = await daemon.connect();
  await assert.rejects(client.restart(), (error: Error & { output?: string }) => {
    assert.match(error.output ?? '', /state: can't be changed by a restart/);
    return true;
  });
});
