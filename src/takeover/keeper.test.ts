import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { probeUnix, startTime } from '../posix/index.ts';
import { ask, Folder, RunningKeeper, workerEntry } from './fixtures/harness.ts';

const kill9 = (pid: number): boolean => process.kill(pid, 'SIGKILL');

test('the worker serves on the sockets of its keeper, and SIGTERM ends both with 0', async () => {
  using folder = new Folder();
  await using keeper = new RunningKeeper(folder.options('echo'));
  const { port } = await keeper.event('ready');
  assert.equal(await ask(port?.port ?? 0, 'over TCP\n'), 'over TCP\n');
  assert.equal(await ask(folder.socket, 'over Unix\n'), 'over Unix\n');
  assert.equal(statSync(join(folder.path, 'lock')).mode & 0o777, 0o600);
  assert.equal(readFileSync(join(folder.path, 'lock'), 'utf8').split('\n')[1], String(keeper.process.pid));
  keeper.kill('SIGTERM');
  assert.equal((await keeper.event('signal')).signal, 'SIGTERM');
  assert.equal(await keeper.end(), 0);
  assert.equal(existsSync(folder.socket), false);
  assert.equal(readFileSync(join(folder.path, 'lock'), 'utf8'), '');
});

test('a worker may stop by itself, and its environment has no manifest', async () => {
  using folder = new Folder();
  await using keeper = new RunningKeeper(folder.options('quits'));
  assert.equal((await keeper.event('started')).manifest, null);
  assert.equal(await keeper.end(), 0);
});

test('a listener keeps its backlog in the worker', async () => {
  using folder = new Folder();
  const listeners = [{ name: 'unix', kind: 'unix', path: folder.socket, mode: 0o600, backlog: 1 } as const];
  await using keeper = new RunningKeeper(folder.options('echo', { listeners }));
  const worker = await keeper.event('ready');
  process.kill(worker.pid, 'SIGSTOP');
  let accepted = 0;
  // A full accept queue is EAGAIN, without a pid. Some connections may be accepted before the worker stands still.
  for (
    let probe = probeUnix(folder.socket);
    'pid' in probe && probe.pid !== null;
    probe = probeUnix(folder.socket)
  ) {
    accepted += 1;
  }
  assert.ok(accepted < 100, `${accepted} connections fit`); // 512 with Node's own backlog
});

test('kill -9 of the worker refuses no connection', async () => {
  using folder = new Folder();
  await using keeper = new RunningKeeper(folder.options('echo'));
  let worker = await keeper.event('ready');
  const port = worker.port?.port ?? 0;
  const stop = new AbortController();
  const clients = [port, folder.socket].map((where) => connectInALoop(where, stop.signal));
  for (let i = 0; i < 5; i++) {
    kill9(worker.pid);
    worker = await keeper.event('ready');
    assert.equal(await ask(port, 'again\n'), 'again\n');
  }
  stop.abort();
  for (const { answered, refused } of await Promise.all(clients)) {
    assert.ok(answered > 0);
    assert.deepEqual(refused, []);
  }
});

/** A connection that was accepted dies with its worker (reset, or an end without answer); none may be refused. */
async function connectInALoop(
  where: number | string,
  stop: AbortSignal,
): Promise<{ answered: number; refused: string[] }> {
  const result = { answered: 0, refused: [] as string[] };
  while (!stop.aborted) {
    const socket = typeof where === 'number' ? connect(where, '127.0.0.1') : connect(where);
    let connected = false;
    socket.on('connect', () => {
      connected = true;
      socket.write('x\n');
    });
    socket.on('data', () => {
      result.answered += 1;
      socket.destroy();
    });
    socket.on('end', () => socket.destroy());
    socket.on('error', (error) => {
      if (!connected) result.refused.push(error.message);
    });
    await new Promise((resolve) => socket.on('close', resolve));
  }
  return result;
}

test('a worker that keeps crashing is started again ever later, and a stop then needs no worker', async () => {
  using folder = new Folder();
  await using keeper = new RunningKeeper(folder.options('crash'));
  const delays: unknown[] = [];
  for (let i = 0; i < 6; i++) delays.push((await keeper.logged('worker died')).restartInMs);
  assert.deepEqual(delays, [0, 5, 10, 20, 20, 20]);
  keeper.kill('SIGTERM');
  assert.equal(await keeper.end(), 0);
});

test('an entry that does not exist yet is waited for', async () => {
  using folder = new Folder();
  const entry = join(folder.path, 'entry.mjs');
  await using keeper = new RunningKeeper(folder.options('echo', { entry }));
  await keeper.logged('worker died');
  writeFileSync(entry, `await import(${JSON.stringify(workerEntry)});`);
  await keeper.event('ready');
});

test('kill -9 of the keeper takes the worker with it, and a new keeper gets lock and addresses', async () => {
  using folder = new Folder();
  await using first = new RunningKeeper(folder.options('echo'));
  const { port } = await first.event('ready');
  const grandchild = Number(await ask(folder.socket, 'orphan\n'));
  assert.ok(startTime(grandchild) !== null);
  first.kill('SIGKILL');
  const listeners = folder
    .options('echo')
    .listeners.map((l) => (l.kind === 'tcp' ? { ...l, port: port?.port ?? 0 } : l));
  await using second = new RunningKeeper(folder.options('echo', { listeners }));
  assert.equal(await first.end(), 'SIGKILL', 'its output has ended, so its worker is gone');
  await second.event('ready');
  assert.equal(await ask(port?.port ?? 0, 'new\n'), 'new\n');
  assert.equal(await ask(folder.socket, 'new\n'), 'new\n');
});

test('a second keeper for the same folder gives up and names the first', async () => {
  using folder = new Folder();
  await using first = new RunningKeeper(folder.options('echo'));
  await first.event('ready');
  await using second = new RunningKeeper(folder.options('echo', { waitMs: 50, listeners: [] }));
  const { code, error } = await second.logged('failed');
  assert.equal(code, 'lock_held');
  assert.match(error ?? '', new RegExp(`/lock is held by process ${first.process.pid}$`));
  assert.equal(await second.end(), 1);
});

test('a keeper waits for the lock of one that ends, and can be stopped while it waits', async () => {
  using folder = new Folder();
  await using first = new RunningKeeper(folder.options('echo'));
  await first.event('ready');
  await using second = new RunningKeeper(folder.options('echo', { waitMs: 1_000_000 }));
  await using third = new RunningKeeper(folder.options('echo', { waitMs: 1_000_000 }));
  await second.logged('waiting: ');
  await third.logged('waiting: ');
  third.kill('SIGTERM');
  assert.equal(await third.end(), 0);
  first.kill('SIGTERM');
  assert.equal(await first.end(), 0);
  await second.event('ready');
  assert.equal(await ask(folder.socket, 'second\n'), 'second\n');
});

test('an address that somebody else serves, or that is no socket, is left alone', async () => {
  using folder = new Folder();
  await using server = createServer();
  server.listen(folder.socket);
  await once(server, 'listening');
  await using keeper = new RunningKeeper(folder.options('echo', { waitMs: 50 }));
  const live = await keeper.logged('failed');
  assert.deepEqual(
    [live.code, live.error],
    ['address_in_use', `${folder.socket} is in use by process ${process.pid}`],
  );
  server.close();
  await once(server, 'close');
  writeFileSync(folder.socket, 'precious');
  await using other = new RunningKeeper(folder.options('echo', { waitMs: 50 }));
  assert.equal((await other.logged('failed')).code, 'not_a_socket');
  assert.equal(readFileSync(folder.socket, 'utf8'), 'precious');
});

test('an entry behind a symlink is resolved at every start', async () => {
  using folder = new Folder();
  const current = join(folder.path, 'current');
  for (const release of ['1', '2']) {
    mkdirSync(join(folder.path, release));
    writeFileSync(join(folder.path, release, 'worker.mjs'), `await import(${JSON.stringify(workerEntry)});`);
  }
  symlinkSync('1', current);
  await using keeper = new RunningKeeper(folder.options('echo', { entry: join(current, 'worker.mjs') }));
  const first = await keeper.event('started');
  assert.equal(first.entry, join(folder.path, '1', 'worker.mjs'));
  symlinkSync('2', `${current}.new`);
  renameSync(`${current}.new`, current);
  kill9(first.pid);
  assert.equal((await keeper.event('started')).entry, join(folder.path, '2', 'worker.mjs'));
});

test('signals wait until the worker is ready', async () => {
  using folder = new Folder();
  await using keeper = new RunningKeeper(folder.options('echo'));
  await keeper.logged('worker started');
  keeper.kill('SIGHUP');
  await keeper.event('ready');
  assert.equal((await keeper.event('signal')).signal, 'SIGHUP');
  keeper.kill('SIGUSR2');
  assert.equal((await keeper.event('signal')).signal, 'SIGUSR2');
});

test('a second stop signal kills a worker that does not stop', async () => {
  using folder = new Folder();
  await using keeper = new RunningKeeper(folder.options('stubborn'));
  await keeper.event('ready');
  keeper.kill('SIGTERM');
  await keeper.event('signal');
  keeper.kill('SIGTERM');
  assert.equal(await keeper.end(), 143);
  assert.equal(existsSync(folder.socket), false);
});

test('a worker that takes too long to stop, or to be ready, is killed', async () => {
  using folder = new Folder();
  await using stubborn = new RunningKeeper(folder.options('stubborn', { stopTimeoutMs: 20 }));
  await stubborn.event('ready');
  stubborn.kill('SIGINT');
  assert.equal(await stubborn.end(), 137);
  await using silent = new RunningKeeper(folder.options('silent', { readyTimeoutMs: 20 }));
  await silent.logged('killing the worker: it was not ready within 20 ms');
  assert.equal((await silent.logged('worker died')).signal, 'SIGKILL');
});

test('a worker of another channel version is refused by name', async () => {
  using folder = new Folder();
  await using keeper = new RunningKeeper(folder.options('future'));
  await keeper.logged('the other side speaks version 2 of the keeper');
  await keeper.logged('worker died');
});
