// What a bootstrap may leave that a fork would break: each refuses the pool by name, while the old generation serves, and
// each can be allowed.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Client, RocksyError } from '../../src/client/index.ts';
import { TestDaemon } from '../support/daemon.ts';

interface Leak {
  readonly what: string;
  /** `{port}`, `{socket}` and `{scratch}` stand for a TCP server, a Unix socket and a folder that are there. */
  readonly code: string;
  /** What `allow` has to say; the pool that permits has all of these. */
  readonly names: readonly string[];
  readonly message: RegExp;
  /** Nothing allows a fork while it is going on. */
  readonly atWork?: true;
}

interface Runtime {
  readonly options: string;
  readonly extension: string;
  /** A job that tells that this generation runs, followed by what the bootstrap leaves. */
  readonly bootstrap: (code: string) => string;
  readonly leaks: readonly Leak[];
}

const REMEDY = /open it in run\(\), or close it in before_?fork and open it again in after_?fork/i;

const RUNTIMES: Readonly<Record<string, Runtime>> = {
  node: {
    options: 'runtime: node, prefork: 0',
    extension: 'ts',
    bootstrap: (code) => `export const jobs = { Fine: class { run(): number { return 3; } } };\n${code}\n`,
    leaks: [
      {
        what: 'an interval, with its place',
        code: 'setInterval(() => {}, 60_000);',
        names: ['timer'],
        message:
          /left an interval of 60000 ms active \(made at .*node\.ts:2\): it would go off in every run; clear/,
      },
      {
        what: 'a timeout',
        code: 'setTimeout(() => {}, 90_000);',
        names: ['timer'],
        message: /left a timeout of 90000 ms active/,
      },
      {
        what: 'a listening server',
        code: "import net from 'node:net'; net.createServer().listen(0, '127.0.0.1');",
        names: ['listen:*'],
        message: /left a listening socket on 127\.0\.0\.1:\d+ open \(descriptor \d+\): runs/,
      },
      {
        what: 'a connection, with its place',
        code: "import net from 'node:net'; net.connect({port}, '127.0.0.1');",
        names: ['tcp:*'],
        message:
          /left a TCP connection to 127\.0\.0\.1:\d+ open \(descriptor \d+, made at .*node\.ts:2\): runs/,
      },
      {
        what: 'a connection by a Unix socket',
        code: "import net from 'node:net'; net.connect('{socket}');",
        names: ['unix:{socket}'],
        message: /left a connection to .*redis\.sock \(Redis\?\) open/,
      },
      {
        what: 'a datagram socket',
        code: "import dgram from 'node:dgram'; import { once } from 'node:events'; await once(dgram.createSocket('udp4').bind(0, '127.0.0.1'), 'listening');",
        names: ['udp:*'],
        message: /left a UDP socket on 127\.0\.0\.1:\d+ open/,
      },
      {
        what: 'a worker',
        code: "import { Worker } from 'node:worker_threads'; new Worker('setInterval(() => {}, 1000)', { eval: true });",
        names: ['threads'],
        message: /left \d+ threads? running \(WorkerThread.*worker_threads, or a library/,
      },
      {
        what: 'a threadpool at work',
        code: "import { pbkdf2 } from 'node:crypto'; pbkdf2('a', 'b', 50_000_000, 64, 'sha512', () => {});",
        names: ['threads'],
        message: /1 thread running \(libuv-worker\).*await what it began/,
        atWork: true,
      },
      {
        what: 'a debugger',
        code: "import inspector from 'node:inspector'; inspector.open(0);",
        names: ['inspector', 'threads', 'listen:*'],
        message: /left a debugger open \(ws:/,
      },
      {
        what: 'a watch on a folder',
        code: "import fs from 'node:fs'; fs.watch('{scratch}', () => {});",
        names: ['inotify'],
        message: /left a watch on files open \(inotify\)/,
      },
      {
        what: 'a file that is looked at again and again',
        code: "import fs from 'node:fs'; fs.watchFile('{scratch}/x', () => {});",
        names: ['watch'],
        message: /left fs\.watchFile\(\) watching/,
      },
      {
        what: 'a database',
        code: "import { DatabaseSync } from 'node:sqlite'; (globalThis as { db?: unknown }).db = new DatabaseSync('{scratch}/node.db'); (globalThis as { db?: DatabaseSync }).db?.exec('CREATE TABLE IF NOT EXISTS t (x)');",
        names: ['file:*'],
        message: /left the SQLite database .*node\.db open/,
      },
      {
        what: 'a file that is written to',
        code: "import { openSync } from 'node:fs'; openSync('{scratch}/app.log', 'a');",
        names: ['file:*'],
        message: /left .*scratch\/app\.log open for writing/,
      },
      {
        what: 'a child process with a channel',
        code: "import { spawn } from 'node:child_process'; spawn('sleep', ['1000'], { stdio: ['ipc', 'ignore', 'ignore'] });",
        names: ['socket'],
        message: /left a Unix socket open, to a process or itself \(descriptor \d+/,
      },
    ],
  },
  php: {
    options: 'runtime: php, prefork: 0',
    extension: 'php',
    bootstrap: (code) => `<?php final class Fine { public function run(): int { return 3; } }\n${code}`,
    leaks: [
      {
        what: 'a connection',
        code: "$GLOBALS['c'] = stream_socket_client('tcp://127.0.0.1:{port}');",
        names: ['tcp:*'],
        message: /left a TCP connection to 127\.0\.0\.1:\d+ open/,
      },
      {
        what: 'a connection by a Unix socket',
        code: "$GLOBALS['c'] = stream_socket_client('unix://{socket}');",
        names: ['unix:{socket}'],
        message: /left a connection to .*redis\.sock \(Redis\?\) open/,
      },
      {
        what: 'a database',
        code: "$GLOBALS['c'] = new PDO('sqlite:{scratch}/php.db'); $GLOBALS['c']->exec('CREATE TABLE IF NOT EXISTS t (x)');",
        names: ['file:*'],
        message: /left the SQLite database .*php\.db open/,
      },
      {
        what: 'a persistent handle that nobody holds any more',
        code: "(new PDO('sqlite:{scratch}/php.db', null, null, [PDO::ATTR_PERSISTENT => true]))->exec('CREATE TABLE IF NOT EXISTS t (x)');",
        names: ['file:*'],
        message: /left the SQLite database .*php\.db open/,
      },
    ],
  },
  python: {
    options: 'runtime: python, interpreter: /usr/bin/python3, prefork: 0',
    extension: 'py',
    bootstrap: (code) => `class Fine:\n    def run(self, params):\n        return 3\n${code}\n`,
    leaks: [
      {
        what: 'a connection',
        code: "import socket\nc = socket.create_connection(('127.0.0.1', {port}))",
        names: ['tcp:*'],
        message: /left a TCP connection to 127\.0\.0\.1:\d+ open/,
      },
      {
        what: 'a thread, by the name that it was given',
        code: "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), name='QueueListener', daemon=True).start()",
        names: ['threads'],
        message: /left 1 thread running \(QueueListener\)/,
      },
      {
        what: 'an event loop',
        code: 'import asyncio\nloop = asyncio.new_event_loop()',
        names: ['epoll', 'socket'],
        message: /left an event loop open \(epoll\)/,
      },
      {
        what: 'a database',
        code: "import sqlite3\nc = sqlite3.connect('{scratch}/python.db')\nc.execute('CREATE TABLE IF NOT EXISTS t (x)')",
        names: ['file:*'],
        message: /left the SQLite database .*python\.db open/,
      },
    ],
  },
};

let daemon: TestDaemon;
let client: Client;
const tcp = net.createServer();
const unix = net.createServer();

const fileOf = (name: string): string => `${name}.${RUNTIMES[name]?.extension}`;
const fill = (text: string): string =>
  text
    .replaceAll('{port}', String((tcp.address() as AddressInfo).port))
    .replaceAll('{socket}', path.join(daemon.scratch, 'redis.sock'))
    .replaceAll('{scratch}', daemon.scratch);

before(async () => {
  const pools = Object.entries(RUNTIMES).flatMap(([name, { options, leaks }]) => {
    const allow = JSON.stringify(
      [...new Set(leaks.flatMap(({ names }) => names))].map((each) => each.replace(/:.*/, ':*')),
    );
    const bootstrap = `bootstrap: ./${fileOf(name)}, {user}`;
    return [
      `  ${name}: { ${options}, ${bootstrap} }`,
      `  ${name}-lenient: { ${options}, ${bootstrap}, allow: ${allow} }`,
    ];
  });
  daemon = await TestDaemon.start({
    more: 'default_pool: node',
    pools: pools.join('\n'),
    files: Object.fromEntries(
      Object.entries(RUNTIMES).map(([name, { bootstrap }]) => [fileOf(name), bootstrap('')]),
    ),
  });
  client = await daemon.connect();
  const socket = path.join(daemon.scratch, 'redis.sock');
  await Promise.all([once(tcp.listen(0, '127.0.0.1'), 'listening'), once(unix.listen(socket), 'listening')]);
  fs.chmodSync(socket, 0o777);
});

after(async () => {
  tcp.close();
  unix.close();
  await daemon[Symbol.asyncDispose]();
});

let runs = 0;

async function codeOf(pool: string): Promise<number | null> {
  const key = `${pool}-${++runs}`;
  await client.run({ key, pool, class: 'Fine' });
  return (await client.wait(key)).code;
}

for (const [name, { bootstrap, leaks }] of Object.entries(RUNTIMES)) {
  describe(`a ${name} bootstrap that leaves`, () => {
    for (const { what, code, names, message, atWork } of leaks) {
      test(`${what} is refused, and allowed where the configuration says so`, async () => {
        const serving = await daemon.zygotePid(name);
        daemon.write(fileOf(name), bootstrap(fill(code)));
        const error = await client.reload(name).then(
          () => assert.fail('the pool was reloaded'),
          (refusal: RocksyError) => refusal,
        );
        assert.equal(error.code, 'bootstrap_failed');
        assert.match(error.message, message);
        if (/ open /.test(error.message) && !names.includes('inspector')) assert.match(error.message, REMEDY);
        for (const each of names) {
          const told = fill(each).replace(/\*$/, '');
          assert.ok(
            error.message.slice(error.message.indexOf('(if it is harmless: allow: [')).includes(told),
            told,
          );
        }
        assert.equal(await daemon.zygotePid(name), serving, 'the old generation serves');
        assert.equal(await codeOf(name), 3);

        if (atWork)
          return await assert.rejects(client.reload(`${name}-lenient`), /threads have been at work/);
        await client.reload(`${name}-lenient`);
        assert.equal(await codeOf(`${name}-lenient`), 3);
      });
    }

    test('nothing is not refused', async () => {
      daemon.write(fileOf(name), bootstrap(''));
      await client.reload(name);
      assert.equal(await codeOf(name), 3);
    });
  });
}

test('what only cleans up behind itself (an interval that is unref’d) is not refused', async () => {
  daemon.write(fileOf('node'), RUNTIMES.node?.bootstrap('setInterval(() => {}, 60_000).unref();') ?? '');
  await client.reload('node');
  assert.equal(await codeOf('node'), 3);
});

test('a request that the bootstrap has begun may end before the inspection', async () => {
  const code = "import fs from 'node:fs'; fs.readFile('/etc/passwd', () => {}); setTimeout(() => {}, 1);";
  daemon.write(fileOf('node'), RUNTIMES.node?.bootstrap(code) ?? '');
  await client.reload('node');
  assert.equal(await codeOf('node'), 3);
});
