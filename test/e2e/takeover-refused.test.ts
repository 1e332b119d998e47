// A new version that is no good: nothing changes for anybody, and whoever asked is told why in words that help.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { type Client, RocksyError } from '../../src/client/index.ts';
import { type DaemonOptions, processesOf, TestDaemon, until } from '../support/daemon.ts';
import { Gate } from '../support/gate.ts';
import { type Change, Releases } from '../support/releases.ts';
import { sh } from '../support/runs.ts';
import { Wire } from '../support/wire.ts';

const MAIN = 'src/daemon/rocksyd.ts';
const WORKER = 'src/daemon/worker.ts';
const TAKEOVER = 'src/daemon/takeover.ts';
const PREPARED = 'if (keeper.isSuccessor) await worker.#succeed();';
const PASSED = 'this.#parts.listeners.pass(';
const ADOPTS = 'this.#parts.listeners.adopt(';

const releases = new Releases();
const OPTIONS: DaemonOptions = {
  pools: '  os: { runtime: command, {user} }',
  more: 'auth: none\n',
  program: releases.program,
};

let daemon: TestDaemon;
let client: Client;
let gate: Gate;
let held: Wire[];
let calm: { readonly worker: number; readonly processes: number; readonly descriptors: number };

const descriptors = (pid: number): number => fs.readdirSync(`/proc/${pid}/fd`).length;

/** A daemon with clients that wait, are told of events, and have sent half a line. */
async function begin(options: DaemonOptions): Promise<void> {
  daemon = await TestDaemon.start(options);
  client = await daemon.connect();
  gate = new Gate(daemon);
  await client.run(sh('gated', `read _ < ${gate.path}; exit 7`));
  held = await Promise.all(Array.from({ length: 60 }, () => Wire.open(daemon.socket)));
  for (const [i, wire] of held.entries()) {
    await wire.ask(`subscribe {"id":"s${i}","key":"gated"}`);
    wire.send(`wait {"id":"w${i}","key":"gated"}`);
    wire.socket.write(`status {"id":"${i}", `);
  }
  calm = await state();
}

async function end(): Promise<void> {
  for (const wire of held) wire[Symbol.dispose]();
  gate[Symbol.dispose]();
  await daemon[Symbol.asyncDispose]();
}

after(() => releases[Symbol.dispose]());

async function state(): Promise<typeof calm> {
  const worker = await daemon.workerPid();
  return { worker, processes: processesOf(daemon.folder).length, descriptors: descriptors(daemon.keeperPid) };
}

/** Asks for a restart that has to be refused, and for everything to be as before; resolves with what was told. */
async function refusal(): Promise<{ reason: string; output: string }> {
  const error = await client.restart().then(
    () => assert.fail('it was not refused'),
    (error: unknown) => error,
  );
  assert.ok(error instanceof RocksyError, String(error));
  assert.equal(error.code, 'takeover_refused', error.message);
  assert.deepEqual(await state(), calm);
  // Each ends the line that it had begun, and begins another.
  for (const [i, wire] of held.entries()) {
    wire.socket.write(`"key":"gated"}\nstatus {"id":"${i}", `);
    const { id, run } = await wire.json();
    assert.deepEqual([id, (run as { state: string }).state], [String(i), 'running']);
  }
  return { reason: error.message, output: error.output ?? '' };
}

async function refusalOf(...changes: readonly Change[]): Promise<{ reason: string; output: string }> {
  releases.change(...changes);
  try {
    return await refusal();
  } finally {
    releases.restore();
  }
}

const atTop = (file: string, first: string): Change => {
  const [line = ''] = fs.readFileSync(path.join(import.meta.dirname, '../..', file), 'utf8').split('\n', 1);
  return { file, from: `${line}\n`, to: `${first}\n${line}\n` };
};

describe('a new version that is no good', () => {
  before(() => begin(OPTIONS));
  after(end);

  test('a syntax error in the new code', async () => {
    const { reason, output } = await refusalOf(atTop(WORKER, 'const = 1;'));
    assert.match(reason, /ended with code 1/);
    assert.match(output, /SyntaxError/);
    assert.match(output, /worker\.ts/);
  });

  test('a package that is not installed', async () => {
    const { output } = await refusalOf(atTop(WORKER, "import 'not-installed';"));
    assert.match(output, /Cannot find package 'not-installed'.*npm ci/);
  });

  test('a file of the release that is missing', async () => {
    const { output } = await refusalOf(atTop(WORKER, "import './not-there.ts';"));
    assert.match(output, /Cannot find module.*not-there/);
  });

  test('a release that is not there at all', async () => {
    const link = path.dirname(path.dirname(releases.program));
    fs.renameSync(link, `${link}-away`);
    const { reason } = await refusal().finally(() => fs.renameSync(`${link}-away`, link));
    assert.match(reason, /could not be started: ENOENT.*current/);
  });

  test('a configuration that is wrong: the message names the file, the line and the key', async () => {
    const file = path.join(daemon.folder, 'rocksyd.yaml');
    const good = fs.readFileSync(file, 'utf8');
    fs.writeFileSync(file, good.replace('auth: none', 'auht: none'));
    const { reason, output } = await refusal().finally(() => fs.writeFileSync(file, good));
    assert.match(reason, /ended with code 2/);
    assert.match(output, /rocksyd\.yaml:3: auht: unknown key/);
  });

  test('an address that somebody else has', async () => {
    const other = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as net.AddressInfo;
    const unix = `unix:${daemon.folder}/second.sock`;
    daemon.configure({ ...OPTIONS, listen: [unix, `tcp://127.0.0.1:${port}`] });
    const { output } = await refusal().finally(() => daemon.configure(OPTIONS));
    assert.match(output, new RegExp(`127\\.0\\.0\\.1:${port} is in use`));
    // What had been opened before that is closed again.
    assert.equal(fs.existsSync(unix.slice('unix:'.length)), false);
    await new Promise((resolve) => other.close(resolve));
  });

  test('a journal that a later release has written', async () => {
    using journal = new DatabaseSync(path.join(daemon.state, 'journal.db'));
    const { user_version: version } = journal.prepare('PRAGMA user_version').get() as {
      user_version: number;
    };
    journal.exec('PRAGMA user_version = 2000');
    const { output } = await refusal().finally(() => journal.exec(`PRAGMA user_version = ${version}`));
    assert.match(output, /journal\.db/);
    assert.match(output, /newer|later/);
  });

  test('a state that the new release does not read', async () => {
    const { output } = await refusalOf({
      file: 'src/daemon/estate.ts',
      from: 'const VERSION = 1;',
      to: 'const VERSION = 2;',
    });
    assert.match(output, /hands over its state by version 1, this release reads version 2: stop and start/);
  });

  test('a keeper that the new release does not understand', async () => {
    const { output } = await refusalOf({
      file: 'src/takeover/messages.ts',
      from: 'export const CHANNEL_VERSION = 1;',
      to: 'export const CHANNEL_VERSION = 2;',
    });
    assert.match(output, /version 1 of the keeper's channel, this side version 2: stop and start/);
  });

  test('new code that dies while it loads', async () => {
    const { reason, output } = await refusalOf(
      atTop(MAIN, "console.error('out of luck'); process.kill(process.pid, 'SIGSEGV');"),
    );
    assert.match(reason, /was killed by SIGSEGV/);
    assert.match(output, /out of luck/);
  });

  for (const [when, file, before] of [
    ['before it has got anything', WORKER, PREPARED],
    ['after it has got descriptors', TAKEOVER, PASSED],
    ['while it adopts', TAKEOVER, ADOPTS],
  ] as const) {
    test(`new code that throws ${when}`, async () => {
      const to = `throw new Error('not today');\n${before}`;
      const { reason, output } = await refusalOf({ file, from: before, to });
      assert.match(reason, /ended with code 1/);
      assert.match(output, /not today/);
    });
  }

  test('new code that dies with descriptors', async () => {
    const { reason } = await refusalOf({
      file: TAKEOVER,
      from: PASSED,
      to: `process.kill(process.pid, 'SIGKILL');\n${PASSED}`,
    });
    assert.match(reason, /was killed by SIGKILL/);
  });

  test('new code that hangs while it adopts', async () => {
    const { reason } = await refusalOf({ file: TAKEOVER, from: ADOPTS, to: `for (;;);\n${ADOPTS}` });
    assert.match(reason, /had not adopted the state within \d+ ms/);
  });

  test('after all of that the next version takes over, and nobody has missed anything', async () => {
    await client.restart();
    assert.notEqual(await daemon.workerPid(), calm.worker);
    gate.open();
    for (const [i, wire] of held.entries()) {
      const lines = [await wire.json(), await wire.json()];
      assert.deepEqual(lines.map(({ id }) => id).toSorted(), [`s${i}`, `w${i}`]);
      for (const { run } of lines) assert.equal((run as { code: number }).code, 7);
    }
    await until('only the serving ones are left', () => processesOf(daemon.folder).length <= calm.processes);
  });
});

describe('a new version that takes too long', () => {
  before(() => begin({ ...OPTIONS, more: `${OPTIONS.more}takeover_timeout: 3s\n` }));
  after(end);

  test('new code that never has loaded', async () => {
    const from = "const { existsSync } = require('node:fs');";
    const hang =
      "console.log('loading for ever'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);";
    const { reason, output } = await refusalOf({ file: 'bin/rocksyd.cjs', from, to: `${hang}\n${from}` });
    assert.match(reason, /not prepared within 3000 ms/);
    assert.match(output, /loading for ever/);
  });

  test('new code that hangs over descriptors', async () => {
    const { reason } = await refusalOf({ file: TAKEOVER, from: PASSED, to: `for (;;);\n${PASSED}` });
    assert.match(reason, /not (done|prepared) within 3000 ms/);
  });
});
