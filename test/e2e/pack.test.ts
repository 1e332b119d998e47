// The package as a stranger gets it: packed, installed in an empty folder, run from there.

import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);
/** No Node in its PATH but the machine's, whose age must not matter. */
const bareEnv = { ...process.env, PATH: '/usr/bin:/bin' };

let temporary: string;
let installed: string;
let packed: string[];

before(
  async () => {
    temporary = await mkdtemp(join(tmpdir(), 'rocksy-pack-'));
    installed = join(temporary, 'app');
    await mkdir(installed);
    await writeFile(join(installed, 'package.json'), '{ "private": true, "type": "module" }');

    // prepack builds; its output would stand before npm's JSON.
    const pack = [
      'pack',
      '--json',
      '--silent',
      '--foreground-scripts=false',
      '--pack-destination',
      temporary,
    ];
    const { stdout } = await run('npm', pack, { cwd: root });
    const [tarball] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
    packed = tarball.files.map(({ path }) => path);
    await run('npm', ['install', '--no-fund', '--no-audit', join(temporary, tarball.filename)], {
      cwd: installed,
    });
  },
  { timeout: 180_000 },
);

after(() => rm(temporary, { recursive: true, force: true }));

test('the tarball has compiled code and no TypeScript, tests or fixtures', () => {
  assert.deepEqual(
    packed.filter((path) =>
      /(?<!\.d)\.ts$|\.test\.|(^|\/)(test|fixtures)\/|contract-suite|under-test/.test(path),
    ),
    [],
  );
  for (const path of [
    'bin/rocksyd.cjs',
    'bin/rocksy.cjs',
    'dist/daemon/rocksyd.js',
    'dist/client/index.d.ts',
  ]) {
    assert.ok(packed.includes(path), `${path} is missing`);
  }
});

test('the tarball has the zygotes that are not JavaScript', () => {
  assert.ok(packed.includes('dist/zygote/php/zygote.php'));
  assert.ok(packed.includes('dist/zygote/python/zygote.py'));
  assert.ok(packed.includes('dist/zygote/python/rocksy/zygote/server.py'));
});

test('both executables tell their version', async () => {
  assert.equal((await bin('rocksyd', ['--version'])).stdout, 'rocksyd 0.1.0\n');
  assert.equal((await bin('rocksy', ['--version'])).stdout, 'rocksy 0.1.0\n');
});

test('rocksy/client can be imported', async () => {
  const code = "import('rocksy/client').then((client) => console.log(typeof client.connect))";
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code], { cwd: installed });
  assert.equal(stdout, 'function\n');
});

test("a TypeScript program compiles against the client's declarations", async () => {
  await writeFile(
    join(installed, 'app.ts'),
    [
      "import { type Client, connect } from 'rocksy/client';",
      "import type { Context } from 'rocksy/job';",
      "export const client: Client = await connect('unix:x');",
      'export const half = (context: Context): void => context.progress(50);',
      '',
    ].join('\n'),
  );
  const strict = [
    '--noEmit',
    '--strict',
    '--module',
    'nodenext',
    '--skipLibCheck',
    'false',
    '--types',
    'node',
  ];
  const types = ['--typeRoots', join(root, 'node_modules/@types')];
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  await run(process.execPath, [tsc, ...strict, ...types, 'app.ts'], { cwd: installed }).catch((error) =>
    assert.fail(`tsc: ${error.stdout}`),
  );
});

test('the installed rocksyd runs a command and a class in TypeScript for the installed rocksy, and stops', async () => {
  const config = join(installed, 'rocksyd.yaml');
  const user = process.getuid?.() === 0 ? ', user: root' : '';
  await writeFile(
    config,
    [
      'listen: [unix:./var/rocksyd.sock]',
      'state: ./var',
      'default_pool: os',
      'pools:',
      `  os: { runtime: command${user} }`,
      `  js: { runtime: node, jobs: ./jobs, prefork: 1${user} }`,
      '',
    ].join('\n'),
  );
  await mkdir(join(installed, 'var'));
  await mkdir(join(installed, 'jobs'));
  await writeFile(
    join(installed, 'jobs/Greet.ts'),
    "export default class Greet { run([name]: [string]): void { console.log('hello', name); } }\n",
  );
  await bin('rocksyd', ['--config', config, '--check']);

  const daemon = spawn(executable('rocksyd'), ['--config', config], {
    cwd: installed,
    env: bareEnv,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  try {
    await listening(daemon);
    const env = { ...bareEnv, ROCKSY_SOCKET: join(installed, 'var/rocksyd.sock') };
    const { stdout } = await bin('rocksy', ['run', '--follow', '--pool', 'os', '--', 'echo', 'hello'], env);
    assert.match(stdout, /^hello$/m);
    const greeting = await bin('rocksy', ['run', '--follow', '--pool', 'js', 'Greet', '"you"'], env);
    assert.match(greeting.stdout, /^hello you$/m);
  } finally {
    daemon.kill('SIGTERM');
  }
  const [code, signal] = await once(daemon, 'exit');
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
});

test('the installed rocksy tries forks of its Node', { timeout: 600_000 }, async () => {
  const options = { cwd: installed, env: bareEnv, timeout: 600_000 };
  const { stdout } = await run(executable('rocksy'), ['doctor', '--fork', '--json'], options);
  const [finding, ...failed] = JSON.parse(stdout);
  assert.deepEqual(failed, []);
  assert.equal(finding.verdict, 'ok');
  assert.match(finding.detail, /^1\d\d things that jobs do work/);
});

function executable(name: string): string {
  return join(installed, 'node_modules/.bin', name);
}

/** Runs an executable of the installed package; rejects, with its output, when it fails. */
function bin(name: string, args: string[], env = bareEnv): Promise<{ stdout: string; stderr: string }> {
  return run(executable(name), args, { cwd: installed, env, timeout: 30_000 });
}

/** Resolves when the daemon says that it listens; rejects, with what it said, when it ends before. */
async function listening(daemon: ChildProcess): Promise<void> {
  const { stdout, stderr } = daemon;
  assert.ok(stdout && stderr);
  const errors: string[] = [];
  createInterface({ input: stderr }).on('line', (line) => errors.push(line));
  await new Promise<void>((ready, failed) => {
    createInterface({ input: stdout }).on('line', (line) => line.startsWith('listening on ') && ready());
    daemon.once('close', () => failed(new Error(`rocksyd did not start:\n${errors.join('\n')}`)));
  });
}
