import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { TestDaemon, until } from '../support/daemon.ts';

const OS = { pools: '  os: { runtime: command, {user} }' };

test('a command runs, and its log, exit code and usage are told', async () => {
  await using daemon = await TestDaemon.start(OS);
  const client = await daemon.connect();
  const { run, known } = await client.run({ key: 'hello', argv: ['sh', '-c', 'echo hello; exit 3'] });
  assert.equal(known, false);
  const ended = await client.wait(run.key);
  assert.equal(ended.outcome, 'failed');
  assert.equal(ended.code, 3);
  assert.equal(ended.retcode, 3);
  // A shell needs a few MB; what it was started from, which a process can inherit, has many times that.
  const { max_rss_bytes: peak } = ended;
  assert.ok(peak !== null && peak > 0 && peak < 20e6, `${peak}`);
  assert.equal((await client.logs('hello')).data.toString(), 'hello\n');
});

test('a key runs once, however often it is asked for', async () => {
  await using daemon = await TestDaemon.start(OS);
  const client = await daemon.connect();
  const asked = await Promise.all(
    Array.from({ length: 20 }, () => client.run({ key: 'once', argv: ['sh', '-c', 'echo ran'] })),
  );
  assert.equal(asked.filter(({ known }) => !known).length, 1);
  await client.wait('once');
  assert.equal((await client.run({ key: 'once', argv: ['sh', '-c', 'echo ran'] })).known, true);
  assert.equal((await client.logs('once')).data.toString(), 'ran\n');
});

test('SIGTERM ends the runs, records their outcomes and exits with 0', async () => {
  await using daemon = await TestDaemon.start(OS);
  const client = await daemon.connect();
  await client.run({ key: 'long', argv: ['sleep', '1000'] });
  assert.equal(await daemon.stop(), 0);
  await daemon.start();
  const again = await daemon.connect();
  const run = await again.status('long');
  assert.equal(run.outcome, 'killed');
  assert.equal(run.signal, 'SIGTERM');
});

/** A command that runs until the test lets it go on. */
function gated(daemon: TestDaemon, script: string): { argv: string[]; open: () => void } {
  const fifo = path.join(daemon.folder, 'gate');
  execFileSync('mkfifo', ['-m', '666', fifo]);
  return { argv: ['sh', '-c', `read line < ${fifo}; ${script}`], open: () => fs.writeFileSync(fifo, 'go\n') };
}

test('a run and its outcome survive kill -9 of the worker, and no connection is refused meanwhile', async () => {
  await using daemon = await TestDaemon.start(OS);
  const client = await daemon.connect();
  const gate = gated(daemon, 'echo done; exit 7');
  await client.run({ key: 'survivor', argv: gate.argv });
  process.kill(await daemon.workerPid(), 'SIGKILL');
  const again = await daemon.connect();
  assert.equal((await again.status('survivor')).state, 'running');
  gate.open();
  const run = await again.wait('survivor');
  assert.equal(run.code, 7);
  assert.equal((await again.logs('survivor')).data.toString(), 'done\n');
});

test('a run and its outcome survive kill -9 of the keeper', async () => {
  await using daemon = await TestDaemon.start(OS);
  const client = await daemon.connect();
  const gate = gated(daemon, 'echo done; exit 7');
  const { run } = await client.run({ key: 'survivor', argv: gate.argv });
  await daemon.killAll();
  gate.open();
  await until('the run has ended', () => run.pid !== null && !isAlive(run.pid));
  await daemon.start();
  const again = await daemon.connect();
  assert.equal((await again.wait('survivor')).code, 7);
});

test('a run survives kill -9 of its zygote; its outcome comes through the keeper, and the pool comes back', async () => {
  await using daemon = await TestDaemon.start(OS);
  const client = await daemon.connect();
  const gate = gated(daemon, 'echo done; exit 7');
  await client.run({ key: 'survivor', argv: gate.argv });
  const zygote = (await client.pools())[0]?.generations[0]?.pid ?? 0;
  process.kill(zygote, 'SIGKILL');
  await client.run({ key: 'next', argv: ['true'] });
  assert.equal((await client.wait('next')).outcome, 'succeeded');
  gate.open();
  const run = await client.wait('survivor');
  assert.equal(run.code, 7);
  assert.ok((run.max_rss_bytes ?? 0) > 0);
});

test('with stop_runs: leave a run lives on over a stop and a start', async () => {
  await using daemon = await TestDaemon.start({ ...OS, more: 'stop_runs: leave' });
  const client = await daemon.connect();
  const gate = gated(daemon, 'exit 7');
  await client.run({ key: 'survivor', argv: gate.argv });
  assert.equal(await daemon.stop(), 0);
  await daemon.start();
  const again = await daemon.connect();
  assert.equal((await again.status('survivor')).state, 'running');
  gate.open();
  assert.equal((await again.wait('survivor')).code, 7);
});

function isAlive(pid: number): boolean {
  return fs.existsSync(`/proc/${pid}`);
}
