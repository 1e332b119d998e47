import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Client, PoolView, RocksyError } from '../../src/client/index.ts';
import { isAlive, TestDaemon, until } from '../support/daemon.ts';
import { Gate } from '../support/gate.ts';
import { executions, JOBS, marked, php, sh } from '../support/runs.ts';

let daemon: TestDaemon;
let client: Client;

/** A bootstrap whose jobs tell which version of the code they are. */
function version(number: number): string {
  return `<?php
    require '${JOBS}';
    final class Version {
      public function run(array $params): int {
        if (isset($params['gate'])) file_get_contents($params['gate']);
        return ${number};
      }
    }`;
}

const POOLS = [
  '  web: { runtime: php, bootstrap: ./web.php, prefork: 2, {user} }',
  '  stream: { runtime: php, bootstrap: ./stream.php, prefork: 2, {user} }',
  '  broken: { runtime: php, bootstrap: ./broken.php, prefork: 1, boot_timeout: 1s, {user} }',
  '  leaky: { runtime: php, bootstrap: ./leaky.php, prefork: 1, {user} }',
  '  lenient: { runtime: php, bootstrap: ./leaky.php, prefork: 1, allow: ["file:*", "tcp:*", socket], {user} }',
  '  narrow: { runtime: command, max_running: 2, queue: 3, {user} }',
  '  os: { runtime: command, {user} }',
  '  hung: { runtime: php, bootstrap: ./web.php, prefork: 1, {user} }',
  `  aging: { runtime: php, bootstrap: ${JOBS}, prefork: 1, max_age: 1s, {user} }`,
  `  growing: { runtime: php, bootstrap: ${JOBS}, prefork: 1, max_memory: 1MiB, {user} }`,
].join('\n');

before(async () => {
  daemon = await TestDaemon.start({
    more: 'default_pool: os',
    pools: POOLS,
    files: {
      'web.php': version(1),
      'stream.php': version(1),
      'broken.php': version(1),
      'leaky.php': version(1),
    },
  });
  client = await daemon.connect();
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
});

async function viewOf(name: string): Promise<PoolView> {
  const view = (await client.pools()).find((pool) => pool.name === name);
  assert.ok(view !== undefined, name);
  return view;
}

/** Runs the job `Version` and resolves with the version that ran. */
async function versionOf(key: string, pool: string): Promise<number | null> {
  await client.run({ key, pool, class: 'Version' });
  return (await client.wait(key)).code;
}

/** Why a pool could not be reloaded. */
async function refusalOf(pool: string): Promise<RocksyError> {
  return await client.reload(pool).then(
    () => assert.fail(`pool ${pool} was reloaded`),
    (error: RocksyError) => error,
  );
}

describe('reload', { concurrency: true }, () => {
  test('lets new runs have the new code, and runs in progress end with the old', async () => {
    using gate = new Gate(daemon, 'reload');
    assert.equal(await versionOf('v1', 'web'), 1);
    await client.run({ key: 'v1-goes-on', pool: 'web', class: 'Version', params: { gate: gate.path } });
    daemon.write('web.php', version(2));
    const [{ generation } = { generation: 0 }] = await client.reload('web');
    // More than there are parked children: none of them is of old code.
    const runs = Array.from({ length: 6 }, (_, n) => versionOf(`v2-${n}`, 'web'));
    assert.deepEqual([...new Set(await Promise.all(runs))], [2]);
    const states = (await viewOf('web')).generations.map(({ number, state }) => [number, state]);
    assert.deepEqual(states, [
      [generation - 1, 'draining'],
      [generation, 'serving'],
    ]);
    gate.open();
    assert.equal((await client.wait('v1-goes-on')).code, 1);
    await until('the old generation has ended', async () => (await viewOf('web')).generations.length === 1);
  });

  test('under load loses no run, and never stops serving', async () => {
    const inFlight = 8;
    let started = 0;
    let on = true;
    const slowest = { ms: 0 };
    const counts = new Map<number, number>();
    let ended = 0;
    const stream = async (): Promise<void> => {
      while (on) {
        const key = `stream-${started++}`;
        const asked = performance.now();
        await client.run(marked(daemon, { key, pool: 'stream', runtime: 'php', code: 0 }));
        const run = await client.wait(key);
        slowest.ms = Math.max(slowest.ms, performance.now() - asked);
        assert.equal(run.outcome, 'succeeded', JSON.stringify(run));
        assert.equal(executions(daemon, key), 1);
        ended++;
        counts.set(run.generation ?? 0, (counts.get(run.generation ?? 0) ?? 0) + 1);
      }
    };
    const streams = Promise.all(Array.from({ length: inFlight }, stream));
    for (const number of [1, 2, 3]) {
      await until(`generation ${number} has run some`, () => (counts.get(number) ?? 0) > 20);
      // The next one loads until the test lets it go on.
      using gate = new Gate(daemon, `stream-${number}`);
      daemon.write('stream.php', `${version(number)} file_get_contents('${gate.path}');`);
      const reloaded = client.reload('stream');
      const before = ended;
      await until('the old generation serves while the next one loads', () => ended > before + 20);
      gate.open();
      await reloaded;
    }
    await until('generation 4 has run some', () => (counts.get(4) ?? 0) > 20);
    on = false;
    await streams;
    assert.ok(slowest.ms < 5_000, `a run took ${slowest.ms.toFixed()} ms`);
    assert.deepEqual((await viewOf('stream')).generations.at(-1)?.number, 4);
  });
});

describe('a bootstrap that', () => {
  const FAILURES: readonly [what: string, code: string, reason: RegExp, output: RegExp][] = [
    [
      'has a syntax error',
      'echo "loading\\n"; final class {',
      /ended with code/,
      /syntax error.*broken\.php/,
    ],
    [
      'throws',
      'echo "loading\\n"; throw new LogicException("no database");',
      /ended with code/,
      /loading\n[\s\S]*no database[\s\S]*broken\.php/,
    ],
    ['exits', 'echo "loading\\n"; exit(0);', /before it was ready/, /loading/],
    ['never ends', 'echo "loading\\n"; while (true);', /boot_timeout \(1000 ms\)/, /loading/],
  ];
  for (const [index, [what, code, reason, output]] of FAILURES.entries()) {
    test(`${what} leaves the old generation serving, and what it printed is told`, async () => {
      const serving = await daemon.zygotePid('broken');
      daemon.write('broken.php', `<?php ${code}`);
      const error = await refusalOf('broken');
      assert.equal(error.code, 'bootstrap_failed');
      assert.match(error.message, reason);
      assert.match(error.output ?? '', output);
      const view = await viewOf('broken');
      assert.equal(view.state, 'serving');
      assert.match(view.problem ?? '', reason);
      assert.deepEqual(
        view.generations.map(({ pid }) => pid),
        [serving],
      );
      assert.equal(await versionOf(`after-failure-${index}`, 'broken'), 1);
    });
  }

  test('is mended can be loaded again', async () => {
    daemon.write('broken.php', version(2));
    await client.reload('broken');
    assert.equal(await versionOf('mended', 'broken'), 2);
    assert.equal((await viewOf('broken')).problem, null);
  });
});

describe('what a bootstrap leaves open', () => {
  test('as a database is refused by name, and `allow` lets it pass', async () => {
    const database = path.join(daemon.scratch, 'shared.sqlite');
    const code = `$pdo = new PDO('sqlite:${database}'); $pdo->exec('CREATE TABLE IF NOT EXISTS t (x)'); $GLOBALS['pdo'] = $pdo;`;
    daemon.write('leaky.php', `${version(2)} ${code}`);
    await assertRefused(`file:${database}`, /the SQLite database .*shared\.sqlite open/);
  });

  test('as a file is refused by name, and `allow` lets it pass', async () => {
    const file = path.join(daemon.scratch, 'app.log');
    daemon.write('leaky.php', `${version(3)} $GLOBALS['log'] = fopen('${file}', 'a');`);
    await assertRefused(`file:${file}`, /open for writing/);
  });

  test('as a TCP connection is refused by name, and `allow` lets it pass', async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      const { port } = server.address() as net.AddressInfo;
      const code = `$GLOBALS['redis'] = stream_socket_client('tcp://127.0.0.1:${port}');`;
      daemon.write('leaky.php', `${version(4)} ${code}`);
      await assertRefused(`tcp:127.0.0.1:${port}`, /a TCP connection to 127\.0\.0\.1/);
    } finally {
      server.close();
    }
  });

  async function assertRefused(name: string, what: RegExp): Promise<void> {
    const error = await refusalOf('leaky');
    assert.equal(error.code, 'bootstrap_failed');
    assert.match(error.message, what);
    assert.ok(error.message.includes(`allow: [${name}]`), error.message);
    assert.equal((await viewOf('leaky')).state, 'serving');
    await client.reload('lenient');
    assert.equal((await viewOf('lenient')).state, 'serving');
  }
});

test('max_running bounds what runs at once, queue what waits; beyond both a run is refused', async () => {
  using gate = new Gate(daemon, 'narrow');
  const keys = Array.from({ length: 5 }, (_, n) => `narrow-${n}`);
  const asked = [];
  for (const key of keys)
    asked.push((await client.run(sh(key, `read _ < ${gate.path}; exit 3`, { pool: 'narrow' }))).run);
  assert.deepEqual(
    asked.map(({ state }) => state),
    ['running', 'running', 'queued', 'queued', 'queued'],
  );
  const { running, queued } = await viewOf('narrow');
  assert.deepEqual([running, queued], [2, 3]);
  await assert.rejects(client.run(sh('narrow-refused', 'true', { pool: 'narrow' })), { code: 'queue_full' });
  await assert.rejects(client.status('narrow-refused'), { code: 'not_found' });
  gate.open();
  for (const key of keys) assert.equal((await client.wait(key)).code, 3);
  const begun = await Promise.all(keys.map(async (key) => (await client.status(key)).started_ms ?? 0));
  const [first = 0, second = 0, ...waited] = begun;
  assert.ok(Math.max(first, second) <= Math.min(...waited), `${begun}`);
});

test('a drained pool takes no new runs and ends those that it has', async () => {
  using gate = new Gate(daemon, 'drained');
  await client.run(sh('drained', `read _ < ${gate.path}; exit 3`));
  await client.drain('os');
  await assert.rejects(client.run(sh('drained-late', 'true')), { code: 'draining' });
  assert.equal((await viewOf('os')).state, 'draining');
  gate.open();
  assert.equal((await client.wait('drained')).code, 3);
  await client.drain('os', { on: false });
  await client.run(sh('drained-again', 'exit 4'));
  assert.equal((await client.wait('drained-again')).code, 4);
});

for (const [pool, runtime] of [
  ['web', 'php'],
  ['os', 'command'],
] as const) {
  test(`a ${runtime} zygote that somebody sends SIGTERM ends its runs, and another one takes the next`, async () => {
    using gate = new Gate(daemon, `sigterm-${pool}`);
    const zygote = await daemon.zygotePid(pool);
    const run = { key: `sigterm-${pool}`, pool, runtime, code: 7 } as const;
    await client.run(marked(daemon, { ...run, gate }));
    process.kill(zygote, 'SIGTERM');
    // The first that is sent to it after that comes back from it, and all are served by its successor.
    for (let n = 0; n < 3; n++) {
      const key = `sigterm-${pool}-${n}`;
      await client.run(marked(daemon, { ...run, key }));
      assert.equal((await client.wait(key, { timeout_ms: 30_000 })).code, 7);
    }
    await until('another generation serves', async () => (await daemon.zygotePid(pool)) !== zygote);
    gate.open();
    assert.equal((await client.wait(run.key)).code, 7);
    assert.equal(executions(daemon, run.key), 1);
    await until('the old one has ended', () => !isAlive(zygote));
  });
}

test('parked children do not outlive their zygote, and its runs do', async () => {
  using gate = new Gate(daemon, 'parked');
  const zygote = await daemon.zygotePid('web');
  await client.run(php('parked', `file_get_contents('${gate.path}'); return 5;`));
  const pid = (await client.status('parked')).pid ?? 0;
  const children = await until('its parked children are there', () => {
    const all = childrenOf(zygote);
    return all.length === 3 ? all : null;
  });
  process.kill(zygote, 'SIGKILL');
  await until('they have ended', () => children.filter(isAlive).length === 1);
  assert.ok(isAlive(pid));
  gate.open();
  assert.equal((await client.wait('parked')).code, 5);
});

describe('in the course of time', { concurrency: true }, () => {
  test('a zygote that is stopped (SIGSTOP) is replaced, and what it had not begun begins when it is killed', async () => {
    const zygote = await daemon.zygotePid('hung');
    process.kill(zygote, 'SIGSTOP');
    // This one is given to the stopped zygote; nobody else is held up by that.
    const run = { key: 'hung', pool: 'hung', runtime: 'php', code: 5 } as const;
    const asked = client.run(marked(daemon, run));
    await client.run(sh('beside', 'exit 3'));
    assert.equal((await client.wait('beside')).code, 3);
    await until('another generation serves', async () => (await daemon.zygotePid('hung')) !== zygote);
    assert.ok((await versionOf('unhung', 'hung')) !== null);
    assert.equal((await client.status('hung')).state, 'starting');
    process.kill(zygote, 'SIGKILL');
    await asked;
    assert.equal((await client.wait('hung', { timeout_ms: 30_000 })).code, 5);
    assert.equal(executions(daemon, 'hung'), 1);
  });

  for (const [pool, key] of [
    ['aging', 'max_age'],
    ['growing', 'max_memory'],
  ] as const) {
    test(`a generation beyond ${key} is replaced`, async () => {
      await until(
        `${pool} has its second generation`,
        async () => (await viewOf(pool)).generations.at(-1)?.number === 2,
        60_000,
      );
      await client.run(php(`${pool}-run`, 'return 6;', { pool }));
      const run = await client.wait(`${pool}-run`);
      assert.deepEqual([run.code, run.generation], [6, 2]);
    });
  }
});

function childrenOf(pid: number): number[] {
  const text = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}
