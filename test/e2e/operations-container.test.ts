// The daemon as a container has it: the keeper is pid 1 of a namespace, with nobody below it to reap and nobody above.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { children, processStat } from '../../src/posix/index.ts';
import { TestDaemon, until } from '../support/daemon.ts';
import { Gate } from '../support/gate.ts';

const PROGRAM = path.resolve(import.meta.dirname, '../../bin/rocksyd.cjs');
const UNSHARE = ['--pid', '--fork', '--mount-proc', '--kill-child'];

/** Why no namespace can be made here; null: it can. */
function refusal(): string | null {
  const { status, error, stderr } = spawnSync('unshare', [...UNSHARE, 'true'], { encoding: 'utf8' });
  if (status === 0) return null;
  return `no pid namespace can be made here (it takes root, and a container that permits it): ${error?.message ?? stderr}`;
}

interface Contained {
  readonly process: ChildProcess;
  /** The keeper's, as this side sees it. */
  readonly pid: number;
  readonly exited: Promise<number | null>;
}

async function startContained(daemon: TestDaemon): Promise<Contained> {
  const args = [...UNSHARE, PROGRAM, '--config', path.join(daemon.folder, 'rocksyd.yaml')];
  const process = spawn('unshare', args, { cwd: daemon.folder, stdio: ['ignore', 'pipe', 'ignore'] });
  const exited = new Promise<number | null>((resolve) => process.once('exit', (code) => resolve(code)));
  process.stdout?.on('data', (data) => daemon.output.push(String(data)));
  await until('it listens', () => daemon.output.join('').includes('listening on'));
  const [pid] = children(process.pid ?? 0);
  assert.ok(pid !== undefined);
  return { process, pid, exited };
}

test('a keeper that is pid 1 reaps whoever loses its parent, takes over on SIGHUP, and SIGTERM ends all', async (t) => {
  const reason = refusal();
  if (reason !== null) {
    t.skip(reason);
    return;
  }
  await using daemon = TestDaemon.prepare({ pools: '  os: { runtime: command, {user} }' });
  const contained = await startContained(daemon);
  try {
    await daemon.settled();
    await using client = await daemon.connect();
    assert.equal(nsPidOf(contained.pid), 1);
    const worker = await daemon.workerPid();

    using gate = new Gate(daemon);
    await client.run({ key: 'orphan', pool: 'os', argv: ['sh', '-c', 'read _ < "$0"; exit 7', gate.path] });
    await until('it runs', async () => (await client.status('orphan')).state === 'running');
    // Nobody but pid 1 can tell now how it ends.
    const zygote = children(contained.pid)
      .flatMap(children)
      .find((pid) => titleOf(pid).startsWith('rocksy zygote'));
    assert.ok(zygote !== undefined); // kill(0) would be for ourselves
    process.kill(zygote, 'SIGKILL');
    await until('pid 1 has the run', () => children(contained.pid).some((pid) => titleOf(pid) === 'sh'));
    gate.open();
    const ended = await client.wait('orphan');
    assert.deepEqual([ended.outcome, ended.code], ['failed', 7]);
    await until('no zombie is left', () =>
      children(contained.pid).every((pid) => processStat(pid)?.state !== 'Z'),
    );

    process.kill(contained.pid, 'SIGHUP');
    await until('another worker serves', async () => (await daemon.workerPid()) !== worker);
    process.kill(contained.pid, 'SIGTERM');
    assert.equal(await contained.exited, 0);
  } finally {
    contained.process.kill('SIGKILL');
    await contained.exited;
  }
});

function titleOf(pid: number): string {
  return processStat(pid)?.name ?? '';
}

/** The pid in the innermost namespace: NSpid in proc_pid_status(5). */
function nsPidOf(pid: number): number {
  const line = /^NSpid:.*\s(\d+)$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]);
}
