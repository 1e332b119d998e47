import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rocksy } from '../../src/cli/fixtures/rocksy.ts';
import { RocksyError } from '../../src/client/index.ts';
import { TestDaemon, until } from '../support/daemon.ts';
import { sh } from '../support/runs.ts';
import { Wire } from '../support/wire.ts';

const POOLS = '  os: { runtime: command, {user} }';
const SCRIPT = 'echo start; echo Error: token secret-abc is bad; echo; echo the error again; echo end';

test('a search finds the lines of a log as logs would show them, and nothing that is masked', async () => {
  await using daemon = await TestDaemon.start({ pools: POOLS, more: "mask: ['secret-\\w+']" });
  const client = await daemon.connect();
  await client.run(sh('k', SCRIPT));
  await client.wait('k');
  using wire = await Wire.open(daemon.socket);
  wire.send('search {"id":1,"key":"k","text":"error","ignore_case":true}');
  assert.equal(
    await wire.line(),
    '{"id":1,"ok":true,"matches":[{"offset":6,"line":"Error: token *** is bad"},{"offset":38,"line":"the error again"}],"next_offset":58,"size":58,"end":true}',
  );
  for (const text of ['secret', 'secret-abc', 'abc', '-a']) {
    assert.deepEqual((await client.search('k', text)).matches, [], text);
  }
  const first = await client.search('k', 'e', { limit: 1 });
  assert.deepEqual([first.matches.length, first.end], [1, false]);
  const second = await client.search('k', 'e', { limit: 1, offset: first.next_offset });
  assert.deepEqual(second.matches, [{ offset: 38, line: 'the error again' }]);
});

test('rocksy logs --grep prints the lines that hold a text', async () => {
  await using daemon = await TestDaemon.start({ pools: POOLS });
  const client = await daemon.connect();
  await client.run(sh('k', SCRIPT));
  await client.wait('k');
  const at = { address: `unix:${daemon.socket}` };
  assert.deepEqual(await rocksy(at, 'logs', 'k', '--grep', 'error'), {
    code: 0,
    out: 'the error again\n',
    err: '',
  });
  const all = await rocksy(at, 'logs', '-i', '--grep', 'error', '--json', 'k');
  assert.equal(
    all.out,
    '{"event":"match","offset":6,"line":"Error: token secret-abc is bad"}\n' +
      '{"event":"match","offset":38,"line":"the error again"}\n',
  );
});

test('what a search may ask for, and of which run', async () => {
  await using daemon = await TestDaemon.start({ pools: POOLS });
  const client = await daemon.connect();
  await client.run(sh('k', 'echo one; exec sleep 1000'));
  const code = async (search: Promise<unknown>): Promise<string> =>
    await search.then(
      () => 'ok',
      (error: unknown) => (error instanceof RocksyError ? error.code : String(error)),
    );
  assert.equal(await code(client.search('k', 'x'.repeat(200))), 'ok');
  assert.equal(await code(client.search('k', 'x'.repeat(201))), 'invalid_request');
  assert.equal(await code(client.search('k', '')), 'invalid_request');
  assert.equal(await code(client.search('k', 'a\nb')), 'invalid_request');
  assert.equal(await code(client.search('k', 'x', { limit: 1001 })), 'invalid_request');
  assert.equal(await code(client.search('nobody', 'x')), 'not_found');
  const { end, size } = await until('the line is written', async () => {
    const found = await client.search('k', 'one');
    return found.matches.length === 1 ? found : null;
  });
  assert.deepEqual([end, size], [false, 4], 'the run goes on');
});

test('more searches at once than the daemon does at once are all answered, also through a takeover', async () => {
  await using daemon = await TestDaemon.start({ pools: POOLS });
  const client = await daemon.connect();
  await client.run(sh('k', 'yes "a line without it" | head -c 30000000; echo needle'));
  await client.wait('k');
  const searches = Array.from({ length: 40 }, () => client.search('k', 'needle'));
  const [found] = await Promise.all([Promise.all(searches), client.restart()]);
  for (const { matches, end } of found) {
    assert.deepEqual([matches.length, end], [1, true]);
  }
});

test('of a log whose middle was removed what is left is searched', async () => {
  await using daemon = await TestDaemon.start({
    pools: POOLS,
    more: 'log_max: 256KiB',
  });
  const client = await daemon.connect();
  const script =
    'echo first needle; yes "needle in the middle" | head -c 3000000; echo; echo last needle; exec sleep 1000';
  await client.run(sh('k', script));
  await until('the middle is removed', async () => {
    const { data } = await client.logs('k', { offset: 65_536, length: 100 });
    return data.includes(' removed …]');
  });
  const lines: string[] = [];
  for (let offset = 0, size = 1; offset < size; ) {
    const found = await client.search('k', 'needle', { offset, limit: 1000 });
    lines.push(...found.matches.map(({ line }) => line));
    if (found.next_offset === offset) break;
    [offset, size] = [found.next_offset, found.size];
  }
  assert.deepEqual([lines[0], lines.at(-1)], ['first needle', 'last needle']);
  assert.ok(lines.length > 5000 && lines.length < 20_000, `${lines.length} lines`);
  assert.ok(lines.slice(1, -2).every((line) => 'needle in the middle'.endsWith(line)));
});
