// What a bootstrap may leave that a fork would break: it refuses the pool by name, while the old generation serves, and can
// be allowed.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Client, RocksyError } from '../../src/client/index.ts';
import { TestDaemon } from '../support/daemon.ts';

type RuntimeName = 'node' | 'php' | 'python';

interface Leak {
  readonly what: string;
  /** `{port}`, `{socket}` and `{scratch}` stand for a TCP server, a Unix socket and a folder that are there. */
  readonly code: string;
  /** What `allow` has to say. */
  readonly name: string;
  readonly message: RegExp;
}

const OPTIONS: Readonly<Record<RuntimeName, string>> = {
  node: 'runtime: node, prefork: 0',
  php: 'runtime: php, prefork: 0',
  python: 'runtime: python, interpreter: /usr/bin/python3, prefork: 0',
};

const FILES: Readonly<Record<RuntimeName, string>> = { node: 'node.ts', php: 'php.php', python: 'python.py' };

/** A job that tells that this generation runs, and what the bootstrap leaves. */
const BOOTSTRAPS: Readonly<Record<RuntimeName, (code: string) => string>> = {
  node: (code) => `export const jobs = { Fine: class { run(): number { return 3; } } };\n${code}\n`,
  php: (code) => `<?php final class Fine { public function run(): int { return 3; } }\n${code}\n`,
  python: (code) => `class Fine:\n    def run(self, params):\n        return 3\n${code}\n`,
};

const REMEDY = '; open it in run(), or close it in';

/** Left together by one bootstrap. */
const NODE: readonly Leak[] = [
  {
    what: 'an interval, with its place',
    code: 'setInterval(() => {}, 60_000);',
    name: 'timer',
    message:
      /left an interval of 60000 ms active \(made at .*node\.ts:\d+\): it would go off in every run; clear/,
  },
  {
    what: 'a timeout',
    code: 'setTimeout(() => {}, 90_000);',
    name: 'timer',
    message: /left a timeout of 90000 ms active/,
  },
  {
    what: 'a listening server',
    code: "{ const net = await import('node:net'); net.createServer().listen(0, '127.0.0.1'); }",
    name: 'listen:*',
    message: /left a listening socket on 127\.0\.0\.1:\d+ open \(descriptor \d+\): runs .*; open it in run/,
  },
  {
    what: 'a connection, with its place',
    code: "{ const net = await import('node:net'); net.connect({port}, '127.0.0.1'); }",
    name: 'tcp:*',
    message:
      /left a TCP connection to 127\.0\.0\.1:\d+ open \(descriptor \d+, made at .*node\.ts:\d+\): runs .*in beforeFork/,
  },
  {
    what: 'a connection by a Unix socket',
    code: "{ const net = await import('node:net'); net.connect('{socket}'); }",
    name: 'unix:{socket}',
    message: /left a connection to .*redis\.sock \(Redis\?\) open/,
  },
  {
    what: 'a datagram socket',
    code: "{ const dgram = await import('node:dgram'); dgram.createSocket('udp4').bind(0, '127.0.0.1'); }",
    name: 'udp:*',
    message: /left a UDP socket on 127\.0\.0\.1:\d+ open/,
  },
  {
    what: 'a watch on a folder',
    code: "{ const fs = await import('node:fs'); fs.watch('{scratch}/watched', () => {}); }",
    name: 'inotify',
    message: /left a watch on files open \(inotify\)/,
  },
  {
    what: 'a file that is looked at again and again',
    code: "{ const fs = await import('node:fs'); fs.watchFile('{scratch}/x', () => {}); }",
    name: 'watch',
    message: /left fs\.watchFile\(\) watching/,
  },
  {
    what: 'a database',
    code: "const { DatabaseSync } = await import('node:sqlite'); const db = new DatabaseSync('{scratch}/node.db'); db.exec('CREATE TABLE IF NOT EXISTS t (x)'); Object.assign(globalThis, { db });",
    name: 'file:{scratch}/node.db',
    message: /left the SQLite database .*node\.db open/,
  },
  {
    what: 'a file that is written to',
    code: "{ const fs = await import('node:fs'); fs.openSync('{scratch}/app.log', 'a'); }",
    name: 'file:{scratch}/app.log',
    message: /left .*scratch\/app\.log open for writing/,
  },
  {
    what: 'a child process with a channel',
    code: "{ const { spawn } = await import('node:child_process'); spawn('sleep', ['1000'], { stdio: ['ipc', 'ignore', 'ignore'] }); }",
    name: 'socket',
    message: /left a Unix socket open, to a process or itself \(descriptor \d+/,
  },
];

const NODE_THREADS: readonly Leak[] = [
  {
    what: 'a worker',
    code: "{ const { Worker } = await import('node:worker_threads'); new Worker('setInterval(() => {}, 1000)', { eval: true }); }",
    name: 'threads',
    message: /left \d+ threads? running \(.*WorkerThread.*worker_threads, or a library/,
  },
  {
    what: 'a debugger',
    code: "{ const inspector = await import('node:inspector'); inspector.open(0); }",
    name: 'inspector',
    message: /left a debugger open \(ws:.*no inspector\.open/,
  },
  { what: 'and what that listens on', code: '', name: 'listen:*', message: /left a listening socket on 127/ },
];

const PHP: readonly Leak[] = [
  {
    what: 'a connection',
    code: "$GLOBALS['a'] = stream_socket_client('tcp://127.0.0.1:{port}');",
    name: 'tcp:*',
    message: /left a TCP connection to 127\.0\.0\.1:\d+ open .*in beforeFork/,
  },
  {
    what: 'a connection by a Unix socket',
    code: "$GLOBALS['b'] = stream_socket_client('unix://{socket}');",
    name: 'unix:{socket}',
    message: /left a connection to .*redis\.sock \(Redis\?\) open/,
  },
  {
    what: 'a database',
    code: "$GLOBALS['c'] = new PDO('sqlite:{scratch}/php.db'); $GLOBALS['c']->exec('CREATE TABLE IF NOT EXISTS t (x)');",
    name: 'file:{scratch}/php.db',
    message: /left the SQLite database .*php\.db open/,
  },
  {
    what: 'a persistent handle that nobody holds any more',
    code: "(new PDO('sqlite:{scratch}/kept.db', null, null, [PDO::ATTR_PERSISTENT => true]))->exec('CREATE TABLE IF NOT EXISTS t (x)');",
    name: 'file:{scratch}/kept.db',
    message: /left the SQLite database .*kept\.db open/,
  },
];

const PYTHON: readonly Leak[] = [
  {
    what: 'a connection',
    code: "import socket\na = socket.create_connection(('127.0.0.1', {port}))",
    name: 'tcp:*',
    message: /left a TCP connection to 127\.0\.0\.1:\d+ open .*in before_fork/,
  },
  {
    what: 'an event loop',
    code: 'import asyncio\nb = asyncio.new_event_loop()',
    name: 'epoll',
    message: /left an event loop open \(epoll\)/,
  },
  { what: 'and what that wakes itself by', code: '', name: 'socket', message: /left a Unix socket open/ },
  {
    what: 'a database',
    code: "import sqlite3\nc = sqlite3.connect('{scratch}/python.db')\nc.execute('CREATE TABLE IF NOT EXISTS t (x)')",
    name: 'file:{scratch}/python.db',
    message: /left the SQLite database .*python\.db open/,
  },
];

const PYTHON_THREADS: readonly Leak[] = [
  {
    what: 'a thread, by the name that it was given',
    code: "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), name='QueueListener', daemon=True).start()",
    name: 'threads',
    message: /left 1 thread running \(QueueListener\)/,
  },
];

const GROUPS: readonly (readonly [RuntimeName, readonly Leak[]])[] = [
  ['node', NODE],
  ['node', NODE_THREADS],
  ['php', PHP],
  ['python', PYTHON],
  ['python', PYTHON_THREADS],
];

let daemon: TestDaemon;
let client: Client;
const tcp = net.createServer();
const unix = net.createServer();

/** As they stand in the configuration before the servers are there. */
const allowOf = (runtime: RuntimeName): string => {
  const left = GROUPS.flatMap(([each, leaks]) => (each === runtime ? leaks.map(({ name }) => name) : []));
  const names = [...left, 'requests'];
  return JSON.stringify([...new Set(names.map((name) => name.replace(/:.*/, ':*')))]);
};
const fill = (text: string): string =>
  text
    .replaceAll('{port}', String((tcp.address() as AddressInfo).port))
    .replaceAll('{socket}', path.join(daemon.scratch, 'redis.sock'))
    .replaceAll('{scratch}', daemon.scratch);

before(async () => {
  const runtimes = Object.keys(FILES) as RuntimeName[];
  daemon = await TestDaemon.start({
    more: 'default_pool: node',
    pools: runtimes
      .flatMap((runtime) => {
        const keys = `${OPTIONS[runtime]}, bootstrap: ./${FILES[runtime]}, {user}`;
        return [`  ${runtime}: { ${keys} }`, `  ${runtime}-lenient: { ${keys}, allow: ${allowOf(runtime)} }`];
      })
      .join('\n'),
    files: Object.fromEntries(runtimes.map((runtime) => [FILES[runtime], BOOTSTRAPS[runtime]('')])),
  });
  client = await daemon.connect();
  const socket = path.join(daemon.scratch, 'redis.sock');
  await Promise.all([once(tcp.listen(0, '127.0.0.1'), 'listening'), once(unix.listen(socket), 'listening')]);
  fs.chmodSync(socket, 0o777);
  fs.mkdirSync(path.join(daemon.scratch, 'watched'));
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

function leave(runtime: RuntimeName, code: string): void {
  daemon.write(FILES[runtime], BOOTSTRAPS[runtime](fill(code)));
}

async function refusalOf(pool: string): Promise<RocksyError> {
  return await client.reload(pool).then(
    () => assert.fail(`pool ${pool} was reloaded`),
    (error: RocksyError) => error,
  );
}

for (const [runtime, leaks] of GROUPS) {
  describe(`a ${runtime} bootstrap is refused, by name, that leaves`, () => {
    let serving: number;
    let error: RocksyError;

    before(async () => {
      serving = await daemon.zygotePid(runtime);
      leave(runtime, leaks.map(({ code }) => code).join('\n'));
      error = await refusalOf(runtime);
    });

    for (const { what, name, message } of leaks) {
      test(what, () => {
        const [found, allow = ''] = error.message.split('\n(if it is harmless: allow: [');
        assert.match(found ?? '', message);
        assert.ok(allow.includes(fill(name).replace(/\*$/, '')), allow);
      });
    }

    test('nothing else; and the remedy is told with each descriptor', () => {
      const lines = error.message.split('\n(if it is harmless')[0]?.split('\n') ?? [];
      for (const line of lines) {
        assert.ok(
          leaks.some(({ message }) => message.test(line)),
          line,
        );
        if (line.includes('(descriptor ')) assert.ok(line.includes(REMEDY), line);
      }
    });

    test('and the old generation serves', async () => {
      assert.equal(error.code, 'bootstrap_failed');
      assert.equal(await daemon.zygotePid(runtime), serving);
      assert.equal(await codeOf(runtime), 3);
    });

    test('unless the configuration allows it', async () => {
      await client.reload(`${runtime}-lenient`);
      assert.equal(await codeOf(`${runtime}-lenient`), 3);
    });
  });
}

test('a threadpool at work is refused, and nothing allows a fork while it is', async () => {
  leave(
    'node',
    "import { pbkdf2 } from 'node:crypto'; pbkdf2('a', 'b', 50_000_000, 64, 'sha512', () => {});",
  );
  const { message } = await refusalOf('node');
  assert.match(message, /1 thread running \(libuv-worker\).*await what it began/);
  assert.match(message, /left requests under way \(1 of crypto or zlib\)/);
  assert.match((await refusalOf('node-lenient')).message, /something has been under way for 5000 ms/);
});

test('what only cleans up behind itself, and what ends before the inspection, is not refused', async () => {
  const code = "import fs from 'node:fs'; fs.readFile('/etc/passwd', () => {}); setTimeout(() => {}, 0);";
  leave('node', `${code} setInterval(() => {}, 60_000).unref();`);
  await client.reload('node');
  assert.equal(await codeOf('node'), 3);
});
