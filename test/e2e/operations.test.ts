// The daemon and its service manager, played by this test on a real datagram socket: sd_notify(3), sd_listen_fds(3).
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { RocksyError } from '../../src/client/index.ts';
import {
  bindDatagram,
  isReadable,
  listeningAddress,
  listenTcp,
  listenUnix,
  receiveDescriptors,
} from '../../src/posix/index.ts';
import { TestDaemon, until } from '../support/daemon.ts';
import { Gate } from '../support/gate.ts';
import { Wire } from '../support/wire.ts';

const DAEMON = { pools: '  os: { runtime: command, {user} }' };

interface Message {
  readonly lines: readonly string[];
  readonly fds: readonly number[];
}

/** The side of systemd. */
class Manager implements Disposable {
  readonly #socket: number;
  readonly #fds: number[] = [];
  readonly heard: string[] = [];

  constructor(address: string) {
    this.#socket = bindDatagram(address);
  }

  /** The next message with such a line; those before it are used up. */
  async hears(line: string): Promise<Message> {
    for (;;) {
      const message = await until(`the manager hears ${line}`, async () => {
        await nextTurn();
        return isReadable(this.#socket, 5) ? receiveDescriptors(this.#socket) : null;
      }).catch((error: Error) => assert.fail(`${error.message}; heard: ${this.heard.join(', ')}`));
      const lines = message.data.toString().split('\n');
      this.#fds.push(...message.fds);
      this.heard.push(...lines.filter((text) => text !== ''));
      if (lines.some((text) => text.startsWith(line))) return { lines, fds: message.fds };
    }
  }

  [Symbol.dispose](): void {
    for (const fd of [this.#socket, ...this.#fds]) fs.closeSync(fd);
  }
}

let names = 0;
function abstractName(): string {
  return `@rocksy-test-${process.pid}-${++names}`;
}

/** What a process was started with. */
function environmentOf(pid: number): string[] {
  return fs.readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
}

function scoreOf(pid: number): number {
  return Number(fs.readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8'));
}

/** Starts a run that waits at the gate, and gives its pid. */
async function longRun(daemon: TestDaemon, gate: Gate, key = 'long'): Promise<number> {
  const client = await daemon.connect();
  const file = path.join(daemon.scratch, `pid-${key}`);
  await client.run({ key, pool: 'os', argv: ['sh', '-c', 'echo $$ > "$0"; read _ < "$1"', file, gate.path] });
  return await until('the run has begun', () =>
    fs.existsSync(file) ? Number(fs.readFileSync(file, 'utf8')) : null,
  );
}

test('the configuration that is shipped is correct, and lets runs live on', () => {
  const file = path.resolve(import.meta.dirname, '../../deploy/rocksyd.yaml');
  const program = path.resolve(import.meta.dirname, '../../bin/rocksyd.cjs');
  const { status, stdout, stderr } = spawnSync(program, ['--config', file, '--check'], { encoding: 'utf8' });
  assert.deepEqual([status, stdout, stderr], [0, `${file}: correct\n`, '']);
  assert.match(fs.readFileSync(file, 'utf8'), /^stop_runs: leave$/m);
});

test('the manager is told of the start, a takeover that is refused, one that comes about, and the stop', async () => {
  await using daemon = TestDaemon.prepare(DAEMON);
  const address = path.join(daemon.folder, 'notify');
  using manager = new Manager(address);
  await daemon.start({ NOTIFY_SOCKET: address });
  await daemon.settled();
  const ready = await manager.hears('READY=1');
  const serving = async (): Promise<string> => `STATUS=serving, worker pid ${await daemon.workerPid()}`;
  assert.deepEqual(ready.lines, ['READY=1', `MAINPID=${daemon.keeperPid}`, await serving(), '']);

  const client = await daemon.connect();
  daemon.configure({ ...DAEMON, more: 'nonsense: 1' });
  await assert.rejects(client.restart(), (error) => error instanceof RocksyError);
  const reloading = await manager.hears('RELOADING=1');
  assert.match(reloading.lines[1] ?? '', /^MONOTONIC_USEC=\d+$/);
  const age = process.hrtime.bigint() / 1000n - BigInt(reloading.lines[1]?.split('=')[1] ?? 0);
  assert.ok(age >= 0n && age < 60_000_000n, `it began ${age} µs ago`);
  const refused = await manager.hears('READY=1');
  assert.ok(refused.lines[2]?.startsWith(`${await serving()}; takeover refused: `), refused.lines[2]);
  assert.match(refused.lines[2] ?? '', /nonsense/);

  daemon.configure(DAEMON);
  daemon.kill('SIGHUP');
  await manager.hears('RELOADING=1');
  assert.deepEqual((await manager.hears('READY=1')).lines.slice(0, 3), [
    'READY=1',
    `MAINPID=${daemon.keeperPid}`,
    await serving(),
  ]);
  assert.equal(await daemon.stop(), 0);
  await manager.hears('STOPPING=1');
  await manager.hears('STATUS=ended with exit code 0');
});

test('a worker that dies is told of by a status, and its successor by readiness', async () => {
  await using daemon = TestDaemon.prepare(DAEMON);
  const address = abstractName();
  using manager = new Manager(address);
  await daemon.start({ NOTIFY_SOCKET: address });
  await manager.hears('READY=1');
  process.kill(await daemon.workerPid(), 'SIGKILL');
  await manager.hears('STATUS=the worker was killed by SIGKILL; it is started again');
  await manager.hears('READY=1');
});

test('a manager that cannot be told hurts nobody, and is complained of once', async () => {
  await using daemon = TestDaemon.prepare(DAEMON);
  await daemon.start({ NOTIFY_SOCKET: abstractName(), WATCHDOG_USEC: '2000' });
  await daemon.settled();
  daemon.kill('SIGHUP');
  await until('it has taken over', () => daemon.output.some((line) => line.includes('took over')));
  assert.equal(await daemon.stop(), 0);
  assert.equal(daemon.output.filter((line) => line.includes('can not be told')).length, 1);
});

test('the watchdog is fed while the worker runs, not while it stands still, and again when it goes on', async () => {
  await using daemon = TestDaemon.prepare(DAEMON);
  const address = abstractName();
  using manager = new Manager(address);
  await daemon.start({ NOTIFY_SOCKET: address, WATCHDOG_USEC: '40000' });
  await manager.hears('READY=1');
  for (let i = 0; i < 3; i++) await manager.hears('WATCHDOG=1');
  const worker = await daemon.workerPid();
  process.kill(worker, 'SIGSTOP');
  await until('the keeper stops feeding it', () => daemon.output.some((line) => line.includes('is not fed')));
  manager.heard.length = 0;
  process.kill(worker, 'SIGCONT');
  // What had been sent before is read first.
  await manager.hears('WATCHDOG=1');
  await manager.hears('WATCHDOG=1');
});

test("another process's watchdog is not ours", async () => {
  await using daemon = TestDaemon.prepare(DAEMON);
  const address = abstractName();
  using manager = new Manager(address);
  await daemon.start({ NOTIFY_SOCKET: address, WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' });
  await daemon.settled();
  await daemon.stop();
  await manager.hears('STATUS=ended');
  assert.ok(!manager.heard.includes('WATCHDOG=1'));
});

test('the manager gets the listening sockets, and one that leaves the configuration leaves its store', async () => {
  await using daemon = TestDaemon.prepare({ ...DAEMON, listen: ['tcp://127.0.0.1:0'], more: 'auth: none' });
  const address = abstractName();
  using manager = new Manager(address);
  await daemon.start({ NOTIFY_SOCKET: address });
  const unix = await manager.hears('FDSTORE=1');
  assert.equal(unix.lines[1], `FDNAME=unix_${daemon.socket}`);
  assert.deepEqual(unix.fds.map(listeningAddress), [{ kind: 'unix', path: daemon.socket }]);
  const tcp = await manager.hears('FDSTORE=1');
  assert.equal(tcp.lines[1], 'FDNAME=tcp_//127.0.0.1_0');
  const port = daemon.tcpPort;
  assert.deepEqual(tcp.fds.map(listeningAddress), [{ kind: 'tcp', host: '127.0.0.1', port }]);
  await manager.hears('READY=1');
  const client = await daemon.connect();
  daemon.configure(DAEMON);
  await client.restart();
  const removed = await manager.hears('FDSTOREREMOVE=1');
  assert.equal(removed.lines[1], 'FDNAME=tcp_//127.0.0.1_0');
  await daemon.stop();
  assert.ok(fs.existsSync(daemon.socket), 'newcomers find the way to the queue that the manager holds');
});

/** Starts a daemon as a manager that passes sockets does: it is told its own pid, which only a shell before it knows. */
async function startWithSockets(
  daemon: TestDaemon,
  fds: readonly number[],
  env: Readonly<Record<string, string>>,
): Promise<{ kill(): void; gone: Promise<unknown> }> {
  const program = path.resolve(import.meta.dirname, '../../bin/rocksyd.cjs');
  const script = 'LISTEN_PID=$$ exec "$0" "$@"';
  const child = spawn('sh', ['-c', script, program, '--config', path.join(daemon.folder, 'rocksyd.yaml')], {
    env: { ...process.env, ...env, LISTEN_FDS: String(fds.length) },
    stdio: ['ignore', 'ignore', 'pipe', ...fds],
    cwd: daemon.folder,
  });
  child.stderr?.on('data', (data) => daemon.output.push(String(data)));
  const gone = new Promise((resolve) => child.once('exit', resolve));
  return { kill: () => child.kill('SIGTERM'), gone };
}

test('a keeper that was killed comes back with the same queue: who came meanwhile is answered', async () => {
  await using daemon = TestDaemon.prepare({ ...DAEMON, more: 'stop_runs: leave' });
  const address = abstractName();
  using manager = new Manager(address);
  await daemon.start({ NOTIFY_SOCKET: address });
  await daemon.settled();
  const stored = await manager.hears('FDSTORE=1');
  const inode = fs.statSync(daemon.socket).ino;
  await daemon.killAll();
  // Nobody serves now, and nobody is refused.
  const meanwhile = await Wire.open(daemon.socket);
  const answer = meanwhile.ask('stats');
  const again = await startWithSockets(daemon, stored.fds, {
    NOTIFY_SOCKET: address,
    LISTEN_FDNAMES: `unix_${daemon.socket}`,
  });
  assert.ok(Number((await answer).worker_pid) > 0);
  meanwhile[Symbol.dispose]();
  assert.equal(fs.statSync(daemon.socket).ino, inode, 'nobody has bound it anew');
  again.kill();
  await again.gone;
});

test('a socket that systemd has made is used (activation); what nobody wants is closed and named', async () => {
  await using daemon = TestDaemon.prepare({ ...DAEMON, more: 'stop_runs: leave' });
  fs.mkdirSync(daemon.state, { mode: 0o711 });
  const fds = [
    listenUnix({ path: daemon.socket, mode: 0o666, backlog: 8 }),
    listenTcp({ host: '127.0.0.1', port: 0, backlog: 8 }),
  ];
  const inode = fs.statSync(daemon.socket).ino;
  const started = await startWithSockets(daemon, fds, { LISTEN_FDNAMES: 'rocksyd.socket:other.socket' });
  await until('it listens', () => daemon.output.join('').includes('worker ready'));
  for (const fd of fds) fs.closeSync(fd);
  const wire = await Wire.open(daemon.socket);
  const stats = await wire.ask('stats');
  wire[Symbol.dispose]();
  assert.ok(Number(stats.worker_pid) > 0);
  assert.equal(fs.statSync(daemon.socket).ino, inode);
  assert.equal(fs.statSync(daemon.socket).mode & 0o777, 0o600, 'the mode is the configuration’s');
  assert.match(daemon.output.join(''), /"names":\["other\.socket"\],"msg":"[^"]*no listener wants/);
  for (const pid of [Number(stats.worker_pid), await daemon.zygotePid('os')]) {
    assert.deepEqual(serviceVariables(pid), []);
  }
  started.kill();
  await started.gone;
});

function serviceVariables(pid: number): string[] {
  return environmentOf(pid).filter((entry) => /^(NOTIFY_|WATCHDOG_|LISTEN_|FDSTORE)/.test(entry));
}

test('no variable of the manager reaches worker, zygote or run, also after a takeover', async () => {
  await using daemon = TestDaemon.prepare(DAEMON);
  const address = abstractName();
  using manager = new Manager(address);
  const more = {
    WATCHDOG_USEC: '60000000',
    LISTEN_FDS: '1',
    LISTEN_FDNAMES: 'x',
    LISTEN_PID: '1',
    FDSTORE: '8',
  };
  await daemon.start({ NOTIFY_SOCKET: address, ...more });
  await manager.hears('READY=1');
  using gate = new Gate(daemon);
  const run = await longRun(daemon, gate);
  const before = await daemon.workerPid();
  await (await daemon.connect()).restart();
  const after = await daemon.workerPid();
  assert.notEqual(after, before);
  for (const pid of [after, await daemon.zygotePid('os'), run]) assert.deepEqual(serviceVariables(pid), []);
});

test('a daemon that is protected from the OOM killer protects neither zygotes nor runs', async (t) => {
  await using daemon = TestDaemon.prepare(DAEMON);
  try {
    await startWithScore(daemon, -900);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    t.skip('a score below the present one needs CAP_SYS_RESOURCE; deploy/vm/try.sh has it');
    return;
  }
  using gate = new Gate(daemon);
  const run = await longRun(daemon, gate);
  const pids = [daemon.keeperPid, await daemon.workerPid(), await daemon.zygotePid('os'), run];
  assert.deepEqual(pids.map(scoreOf), [-900, -900, 0, 0]);
});

test('a daemon that is worse off than others leaves its runs so', async () => {
  await using daemon = TestDaemon.prepare(DAEMON);
  await startWithScore(daemon, 300);
  using gate = new Gate(daemon);
  const run = await longRun(daemon, gate);
  const pids = [daemon.keeperPid, await daemon.workerPid(), await daemon.zygotePid('os'), run];
  assert.deepEqual(pids.map(scoreOf), [300, 300, 300, 300]);
});

/** Children inherit the score; systemd's OOMScoreAdjust= comes about in the same way. */
async function startWithScore(daemon: TestDaemon, score: number): Promise<void> {
  const file = '/proc/self/oom_score_adj';
  const own = fs.readFileSync(file, 'utf8');
  fs.writeFileSync(file, String(score));
  try {
    await daemon.start();
  } finally {
    fs.writeFileSync(file, own);
  }
  await daemon.settled();
}
