import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect } from '../../client/index.ts';
import { Daemon } from '../fixtures/daemon.ts';
import type { Finding } from './finding.ts';
import { interpreterChecks } from './interpreters.ts';

const isRoot = process.getuid?.() === 0;
const somebody = isRoot ? 'www-data' : os.userInfo().username;

let folder: string;
before(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rocksy-doctor-'));
  fs.chmodSync(folder, 0o755);
});
after(() => fs.rmSync(folder, { recursive: true }));

/** What doctor says of one pool like this. */
async function found(runtime: string, interpreter: string | null, user: string | null): Promise<Finding[]> {
  const pool = { name: 'app', runtime, interpreter, user, state: 'serving', problem: null, generations: [] };
  await using daemon = await Daemon.start({ pools: () => [{ ok: true, pools: [pool] }] });
  await using client = await connect(daemon.address);
  return await interpreterChecks(client);
}

/** A program in the place of an interpreter. */
function script(name: string, text: string, mode = 0o755): string {
  const file = path.join(folder, name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, `#!/bin/sh\n${text}\n`);
  fs.chmodSync(file, mode);
  return file;
}

describe('the interpreter of a pool', { concurrency: true }, () => {
  test('is named with its version when it is new enough, as the user of the pool runs it', async () => {
    for (const [runtime, program] of [
      ['python', '/usr/bin/python3'],
      ['php', '/usr/bin/php'],
    ] as const) {
      const [finding] = await found(runtime, program, somebody);
      assert.equal(finding?.verdict, 'ok', JSON.stringify(finding));
      assert.equal(finding.name, `${runtime} of pool app`);
      assert.match(finding.detail, new RegExp(`^\\d+\\.\\d+.* \\(${program}\\)$`));
    }
    const [node] = await found('node', process.execPath, null);
    assert.equal(node?.detail, `${process.versions.node} (${process.execPath})`);
  });

  test('that only another user may run is said to be forbidden, with the way out', async () => {
    const program = isRoot
      ? script('home/bin/python3', 'exec /usr/bin/python3 "$@"')
      : script('mine', '', 0o644);
    if (isRoot) fs.chmodSync(path.join(folder, 'home'), 0o700);
    const [finding] = await found('python', program, somebody);
    assert.equal(finding?.verdict, 'missing');
    assert.equal(finding.detail, `${program} can't be run by ${somebody}: permission denied`);
    assert.equal(finding.remedy, 'interpreter: /usr/bin/python3, in pool app');
  });

  test('that is too old, does not run or is not there is missing', async () => {
    const old = script('old', 'echo 3.8.20');
    assert.deepEqual(await found('python', old, null), [
      {
        verdict: 'missing',
        name: 'python of pool app',
        detail: `3.8.20 (${old}), older than 3.9`,
        remedy: 'name another one, interpreter: PATH, in pool app',
      },
    ]);
    const broken = script('broken', 'echo "libpython3.11.so: cannot open shared object" >&2; exit 2');
    const [doesNotRun] = await found('python', broken, null);
    assert.equal(doesNotRun?.detail, `${broken} does not run: libpython3.11.so: cannot open shared object`);
    const [absent] = await found('node', `${folder}/none`, null);
    assert.equal(absent?.detail, `${folder}/none is not there`);
    const [absentForOther] = await found('node', `${folder}/none`, somebody);
    assert.equal(absentForOther?.detail, `${folder}/none is not there`);
  });

  test('is no matter of command pools, nor of a daemon that does not name it', async () => {
    assert.deepEqual(await found('command', null, somebody), []);
    await using daemon = await Daemon.start();
    await using client = await connect(daemon.address);
    assert.deepEqual(await interpreterChecks(client), []);
  });
});
