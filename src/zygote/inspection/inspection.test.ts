import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { descriptors } from '../../posix/index.ts';
import { allowed, inspect, notAllowed } from './index.ts';
import { ownThreads, strangeThreads } from './threads.ts';

const PID = 100;
const thread = (tid: number, name: string, state = 'S') => ({ tid, name, state });

test('a runtime has a main thread, whatever that is doing', () => {
  for (const runtime of ['php', 'command', 'node'] as const)
    assert.ok(ownThreads(runtime)(thread(PID, 'MainThread', 'R'), PID));
});

test('node has threads of its own, and they sleep', () => {
  const isOwn = (name: string, state?: string): boolean => ownThreads('node')(thread(101, name, state), PID);
  for (const name of ['V8Worker', 'node-V8Worker', 'DelayedTaskSche', 'libuv-worker']) {
    assert.equal(isOwn(name), true, name);
    assert.equal(isOwn(name, 'R'), false, name);
    assert.equal(ownThreads('php')(thread(101, name), PID), false, name);
  }
  for (const name of ['WorkerThread', 'libvips worker', 'MainThread']) assert.equal(isOwn(name), false, name);
});

test('a library is known by what its threads are called', () => {
  const said = (...names: string[]): string =>
    strangeThreads(names.map((name, index) => thread(101 + index, name)))?.message ?? '';
  assert.match(
    said('event_engine', 'grpc_global_tim'),
    /left 2 threads .*event_engine, grpc.*: gRPC: [^;]*$/,
  );
  assert.match(said('libvips worker'), /left 1 thread running .*sharp/);
  assert.match(said('price watcher'), /\(price watcher\).*: start them in run\(\)$/);
});

test('what is allowed by name, or by how its name begins, is no finding', () => {
  const findings = ['threads', 'tcp:10.0.0.1:5432', 'file:/var/log/app.log'].map((name) => ({
    name,
    message: name,
  }));
  assert.deepEqual(
    notAllowed(findings, ['threads', 'tcp:*']).map(({ name }) => name),
    ['file:/var/log/app.log'],
  );
});

test('what is to be allowed is told as configuration has it, each once', () => {
  const findings = ['timer', 'timer', 'tcp:[::1]:80', 'file:/a b', 'unix:/run/x.sock'].map((name) => ({
    name,
    message: name,
  }));
  assert.equal(allowed(findings), 'allow: [timer, "tcp:[::1]:80", "file:/a b", unix:/run/x.sock]');
});

/** Looks at this very process: what has been opened since. */
async function found(
  open: () => Promise<Disposable> | Disposable,
): Promise<[name: string, message: string][]> {
  const before = descriptors('self').map(({ fd }) => fd);
  using _opened = await open();
  // Threads of this process may be at work.
  return inspect(process.pid, { descriptors: before }, 'node')
    .filter(({ name }) => name !== 'threads')
    .map(({ name, message }) => [name, message]);
}

test('a TCP connection and a listening socket are told by address and by who is likely to be there', async () => {
  const findings = await found(async () => {
    const server = net.createServer().listen(0, '::1');
    await once(server, 'listening');
    const client = net.connect((server.address() as AddressInfo).port, '::1');
    const [[accepted]] = await Promise.all([once(server, 'connection'), once(client, 'connect')]);
    return {
      [Symbol.dispose]: () => {
        for (const each of [client, accepted]) each.destroy();
        server.close();
      },
    };
  });
  assert.equal(findings.length, 3);
  assert.match(
    findings.join('\n'),
    /listen:\[::1\]:\d+,the bootstrap left a listening socket on \[::1\]:\d+ open/,
  );
  assert.match(
    findings.join('\n'),
    /tcp:\[::1\]:\d+,the bootstrap left a TCP connection to \[::1\]:\d+ open/,
  );
});

test('who is usually at a port is told as a guess', async () => {
  // An address of this process alone, where nobody else has taken the port.
  const host = `127.1.${(process.pid >> 8) & 255}.${process.pid & 255}`;
  const findings = await found(async () => {
    const server = net.createServer((socket) => socket.destroy()).listen(5432, host);
    await once(server, 'listening');
    const client = net.connect(5432, host).on('error', () => {});
    await once(client, 'connect');
    return {
      [Symbol.dispose]: () => {
        client.destroy();
        server.close();
      },
    };
  });
  const connection = findings.find(([name]) => name === `tcp:${host}:5432`);
  assert.match(
    connection?.[1] ?? '',
    /a TCP connection to 127\.1\.\S+:5432 \(PostgreSQL\?\) open \(descriptor \d+\): runs/,
  );
});

test('a Unix socket is told by the path of its peer', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rocksy-'));
  const path = join(folder, '.s.PGSQL.5432');
  const findings = await found(async () => {
    const server = net.createServer((socket) => socket.destroy()).listen(path);
    await once(server, 'listening');
    const client = net.connect(path).on('error', () => {});
    await once(client, 'connect');
    return {
      [Symbol.dispose]: () => {
        client.destroy();
        server.close();
      },
    };
  });
  rmSync(folder, { recursive: true });
  const [listening, connection] = ['listen', 'unix'].map((kind) =>
    findings.find(([name]) => name === `${kind}:${path}`),
  );
  assert.match(listening?.[1] ?? '', /left a listening socket on .*PGSQL\.5432 open/);
  assert.match(connection?.[1] ?? '', /left a connection to .*PGSQL\.5432 \(PostgreSQL\?\) open/);
});

test('a SQLite database is told as one, also where it is open for reading only', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rocksy-'));
  const path = join(folder, 'app.db');
  new DatabaseSync(path).exec('CREATE TABLE t (x)');
  const findings = await found(() => {
    const fd = openSync(path, 'r');
    return { [Symbol.dispose]: () => closeSync(fd) };
  });
  rmSync(folder, { recursive: true });
  assert.equal(findings[0]?.[0], `file:${path}`);
  assert.match(
    findings[0]?.[1] ?? '',
    /left the SQLite database .*app\.db open \(descriptor \d+\): its locks/,
  );
});

test('a file that is only read, a pipe and /dev/null may be shared', async () => {
  const findings = await found(() => {
    const fds = [openSync(import.meta.filename, 'r'), openSync('/dev/null', 'w')];
    return { [Symbol.dispose]: () => fds.forEach(closeSync) };
  });
  assert.deepEqual(findings, []);
});

test('the place in the bootstrap stands beside the descriptor, and what the zygote has found comes behind', async () => {
  const sleeper = spawn('sh', ['-c', 'exec 9>>"$0"; echo; exec sleep 100000', join(tmpdir(), 'rocksy-log')], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(sleeper.stdout, 'data');
  const timer = { name: 'timer', message: 'an interval' };
  const hello = { descriptors: [], findings: [timer], made_at: { 9: 'app.ts:3' } };
  const findings = inspect(sleeper.pid ?? 0, hello, 'python');
  sleeper.kill('SIGKILL');
  rmSync(join(tmpdir(), 'rocksy-log'));
  assert.match(
    findings[0]?.message ?? '',
    /rocksy-log open for writing \(descriptor 9, made at app\.ts:3\); .* close it in before_fork and/,
  );
  assert.deepEqual(findings.slice(1), [timer]);
});
