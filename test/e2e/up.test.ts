// `rocksy up`: what it does with a folder that somebody has worked in.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { connectCloud } from '../../src/client/index.ts';
import { freePort } from '../support/cloud.ts';
import { until } from '../support/daemon.ts';

const PROGRAM = path.resolve(import.meta.dirname, '../../bin/rocksy.cjs');

/** Starts it, and stops it when it has said `awaited`. @returns what it has printed */
async function up(folder: string, awaited: RegExp): Promise<string> {
  let said = '';
  const child = spawn(PROGRAM, ['up', folder], { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (said += data));
  const ended = once(child, 'exit');
  await until(`it says ${awaited}`, () => awaited.test(said) || child.exitCode !== null);
  child.kill('SIGTERM');
  await ended;
  return said;
}

test('jobs of folders below are applied; a file that is no good stops nothing of what runs', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rocksy-up-'));
  fs.chmodSync(folder, 0o755);
  const port = await freePort();
  const user = process.getuid?.() === 0 ? ', user: nobody' : '';
  const write = (name: string, text: string) => fs.writeFileSync(path.join(folder, name), text);
  fs.mkdirSync(path.join(folder, 'jobs/shop'), { recursive: true });
  write('rocksy.yaml', `listen: [unix:./var/rocksy.sock, tcp://127.0.0.1:${port}]\nstate: ./var/cloud\n`);
  write(
    'rocksyd.yaml',
    `listen: [unix:./var/rocksyd.sock]
state: ./var/daemon
pools: { os: { runtime: command${user} } }
join: { url: "http://127.0.0.1:${port}", token_file: ./var/join-token }
`,
  );
  write('jobs/shop/tick.yaml', 'jobs:\n  tick: { pool: os, argv: ["true"], schedule: { every: 1s } }\n');
  try {
    assert.match(await up(folder, /default\/tick +succeeded/), /1 job is applied/);
    write('jobs/bad.yaml', 'jobs:\n  other: { pool: os, argv: [x], timout: 5m }\n');
    const said = await up(folder, /default\/tick +succeeded/);
    assert.match(said, /bad.yaml:2: jobs.other.timout: unknown key \(did you mean timeout\?\)/);
    assert.match(said, /The cloud and one host are up/);
    assert.match(said, /default\/tick +succeeded/);
    using cloud = connectCloud(`unix:${path.join(folder, 'var/rocksy.sock')}`);
    await assert.rejects(cloud.call('status', {}), { code: 'unreachable' });
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});
