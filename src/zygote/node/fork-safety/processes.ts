import assert from 'node:assert/strict';
import { exec, execFileSync, fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { inFolder, type Workload, workload } from './workload.ts';

/** A program that answers the message `n` by n + 1; with `below`, through one of its own kind. */
const ADDER = `
  import { fork } from 'node:child_process';
  import { once } from 'node:events';
  process.once('message', async ({ n, below }) => {
    if (below === 0) return process.send(n + 1, () => process.disconnect());
    const next = fork(import.meta.filename);
    next.send({ n, below: below - 1 });
    const [answer] = await once(next, 'message');
    process.send(answer + 1, () => process.disconnect());
  });
`;

/** A server that says by which process it is run. */
const CLUSTERED = `
  import { createServer } from 'node:http';
  createServer((request, response) => response.end('pid ' + process.pid)).listen(0, '127.0.0.1');
`;

/** Processes that a job starts. */
export const processes: readonly Workload[] = [
  workload('spawn, with input and output', async () => {
    const child = spawn('tr', ['a-z', 'A-Z']);
    child.stdin.end('some text');
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
    assert.deepEqual([output, code], ['SOME TEXT', 0]);
  }),
  workload('exec', async () => {
    const { stdout, stderr } = await promisify(exec)('echo out; echo err >&2');
    assert.deepEqual([stdout, stderr], ['out\n', 'err\n']);
    await assert.rejects(promisify(exec)('exit 3'), { code: 3 });
  }),
  workload('spawnSync and execFileSync', () => {
    assert.equal(execFileSync('cat', { input: 'input', encoding: 'utf8' }), 'input');
    assert.partialDeepStrictEqual(spawnSync('sh', ['-c', 'kill -9 $$']), { status: null, signal: 'SIGKILL' });
  }),
  workload('many processes at a time', async () => {
    const ends = Array.from({ length: 20 }, async (_, code) => {
      const [ended] = await once(spawn('sh', ['-c', `exit ${code}`]), 'exit');
      return ended;
    });
    assert.deepEqual(
      await Promise.all(ends),
      Array.from({ length: 20 }, (_, code) => code),
    );
  }),
  workload('a process that does not exist, and one that is killed', async () => {
    await assert.rejects(once(spawn('/no/such/program'), 'spawn'), { code: 'ENOENT' });
    const child = spawn('sleep', ['1000']);
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [null, 'SIGTERM']);
  }),
  workload('a Node that prints to a pipe', async () => {
    const code = "for (let line = 0; line < 20_000; line++) console.log('line', line)";
    const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = (await text(child.stdout)).trimEnd().split('\n');
    assert.deepEqual([lines.length, lines.at(-1)], [20_000, 'line 19999']);
  }),
  workload('fork, with messages', () =>
    inFolder(async (folder) => {
      const program = join(folder, 'adder.mjs');
      writeFileSync(program, ADDER);
      const child = fork(program);
      child.send({ n: 1, below: 0 });
      assert.deepEqual(await once(child, 'message'), [2, undefined]);
      assert.deepEqual(await once(child, 'exit'), [0, null]);
    }),
  ),
  workload('fork within a fork within a fork', () =>
    inFolder(async (folder) => {
      const program = join(folder, 'adder.mjs');
      writeFileSync(program, ADDER);
      const child = fork(program);
      child.send({ n: 1, below: 2 });
      assert.deepEqual(await once(child, 'message'), [4, undefined]);
      await once(child, 'exit');
    }),
  ),
  workload('cluster', () =>
    inFolder(async (folder) => {
      const { default: cluster } = await import('node:cluster');
      const program = join(folder, 'server.mjs');
      writeFileSync(program, CLUSTERED);
      cluster.setupPrimary({ exec: program });
      const workers = [cluster.fork(), cluster.fork()];
      const ports = await Promise.all(
        workers.map(async (worker) => (await once(worker, 'listening'))[0].port),
      );
      assert.equal(ports[0], ports[1], 'they share a port');
      const answer = await (await fetch(`http://127.0.0.1:${ports[0]}/`)).text();
      assert.ok(workers.some((worker) => answer === `pid ${worker.process.pid}`));
      const gone = workers.map((worker) => once(worker, 'exit'));
      for (const worker of workers) worker.process.kill('SIGKILL');
      await Promise.all(gone);
    }),
  ),
];
