// The state directory's disk is full, nearly full, or can't be written to.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import type { Client, RocksyError } from '../../src/client/index.ts';
import { TestDaemon, until } from '../support/daemon.ts';
import { Gate } from '../support/gate.ts';
import { JOBS, sh } from '../support/runs.ts';
import { SmallDisk } from '../support/small-disk.ts';

const POOLS = [
  '  os: { runtime: command, {user} }',
  `  web: { runtime: php, bootstrap: ${JOBS}, prefork: 1, {user} }`,
].join('\n');
const MIB = 2 ** 20;

function start(disk: SmallDisk, minFree: string): Promise<TestDaemon> {
  return TestDaemon.start({
    state: path.join(disk.path, 'var'),
    more: `default_pool: os\nmin_free: ${minFree}`,
    pools: POOLS,
  });
}

/** Asks for runs until one is refused, and resolves with the refusal. Those that were taken have to be told the truth of. */
async function askUntilRefused(
  client: Client,
  name: string,
): Promise<{ taken: string[]; error: RocksyError }> {
  const taken: string[] = [];
  for (;;) {
    const key = `${name}-${taken.length}`;
    try {
      await client.run(sh(key, 'exit 0', { job: 'x'.repeat(200) }));
      taken.push(key);
    } catch (error) {
      return { taken, error: error as RocksyError };
    }
  }
}

test('a full disk refuses new runs, keeps the outcomes of those that end, and is forgotten when space is back', async () => {
  using disk = new SmallDisk(16);
  await using daemon = await start(disk, '0B');
  const client = await daemon.connect();
  using gate = new Gate(daemon);
  await client.run(sh('command', `read _ < ${gate.path}; exit 42`));
  const wait = `file_get_contents('${gate.path}'); return 43;`;
  await client.run({ key: 'php', pool: 'web', class: 'Script', params: { php: wait } });
  disk.fill();

  const { taken, error } = await askUntilRefused(client, 'full');
  assert.ok(['low_disk', 'state_unwritable'].includes(error.code), `${error.code}: ${error.message}`);
  assert.match(error.hint ?? '', /space/);

  gate.open();
  await until('the daemon could not record the outcomes', () =>
    ['command', 'php'].every((key) =>
      daemon.output.some((line) => line.includes(`"key":"${key}"`) && line.includes('could not be recorded')),
    ),
  );
  for (const key of ['command', 'php']) assert.equal((await client.status(key)).outcome, null, key);

  disk.clear();
  assert.equal((await client.wait('command', { timeout_ms: 30_000 })).code, 42);
  assert.equal((await client.wait('php', { timeout_ms: 30_000 })).code, 43);
  for (const key of taken) assert.notEqual((await client.wait(key)).outcome, 'lost', key);
  const worker = await daemon.workerPid();
  await client.run(sh('after', 'exit 5'));
  assert.equal((await client.wait('after')).code, 5);
  assert.equal(daemon.output.filter((line) => line.includes('"worker started"')).length, 1);
  assert.equal(await daemon.workerPid(), worker);
});

test('below min_free new runs are refused and those in progress go on; with space again all are welcome', async () => {
  using disk = new SmallDisk(64);
  await using daemon = await start(disk, '32MiB');
  const client = await daemon.connect();
  using gate = new Gate(daemon);
  await client.run(sh('early', `read _ < ${gate.path}; echo there was room for this; exit 3`));
  disk.fill(24 * MIB);

  const error = await until('a run is refused', () =>
    client.run(sh(`probe-${Math.random()}`, 'true')).then(
      () => null,
      (refusal: RocksyError) => refusal,
    ),
  );
  assert.equal(error.code, 'low_disk');
  assert.match(error.message, /min_free/);
  gate.open();
  assert.equal((await client.wait('early')).code, 3);
  assert.equal((await client.logs('early')).data.toString(), 'there was room for this\n');

  disk.clear();
  await until('a run is taken', () =>
    client.run(sh('late', 'exit 4')).then(
      () => true,
      (refusal: RocksyError) => assert.equal(refusal.code, 'low_disk'),
    ),
  );
  assert.equal((await client.wait('late')).code, 4);
});

test('a state directory that can not be written to is one clear line and exit code 1', async () => {
  using disk = new SmallDisk(1);
  disk.freeze();
  await using daemon = TestDaemon.prepare({
    state: path.join(disk.path, 'var'),
    more: 'default_pool: os',
    pools: POOLS,
  });
  await assert.rejects(daemon.start(), /rocksyd ended \(1\) before it listened/);
  assert.equal(daemon.output.length, 1, daemon.output.join('\n'));
  assert.match(daemon.output[0] ?? '', /rocksyd: .*read-only file system.*var/i);
});

test('a state directory that was made unwritable after a first start is one clear line too', async () => {
  using disk = new SmallDisk(16);
  await using daemon = await start(disk, '0B');
  assert.equal(await daemon.stop(), 0);
  daemon.output.length = 0;
  disk.freeze();
  await assert.rejects(daemon.start(), /rocksyd ended \(1\) before it listened/);
  assert.equal(daemon.output.length, 1, daemon.output.join('\n'));
  assert.match(daemon.output[0] ?? '', /rocksyd: .*read-only file system.*var/i);
});
