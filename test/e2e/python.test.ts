import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Client, RocksyError, RunRequest, RunView } from '../../src/client/index.ts';
import { TestDaemon } from '../support/daemon.ts';

const DJANGO = path.resolve(import.meta.dirname, '../../examples/django');

/** Debian's, whatever is first in PATH. */
const PYTHON = 'runtime: python, interpreter: /usr/bin/python3';

const BOOTSTRAP = `
import sys

class Greet:
    def run(self, params):
        print("hello", params["name"])
        return {"greeted": params["name"]}

class Fail:
    def run(self, params):
        raise KeyError("no such customer")

class Code:
    def run(self, params):
        return params[0]

class Exit:
    def run(self, params):
        sys.exit(params[0])
`;

/** A bootstrap that leaves open what children can't share. */
const LEAKY = `
import socket, threading, time, os
log = open(os.environ["LEAK"], "a")
pair = socket.socketpair()
threading.Thread(target=time.sleep, args=(10_000,), name="price watcher", daemon=True).start()

class Fine:
    def run(self, params):
        return 3
`;

const CLOSES = `${LEAKY.replace(/threading\.Thread.*\n/, '')}
def before_fork():
    log.close()
    for each in pair:
        each.close()
`;

let daemon: TestDaemon;
let client: Client;

before(async () => {
  daemon = await TestDaemon.start({
    more: 'default_pool: web',
    pools: [
      `  web: { ${PYTHON}, bootstrap: ./app/bootstrap.py, {user} }`,
      `  forked: { ${PYTHON}, bootstrap: ./app/bootstrap.py, prefork: 0, {user} }`,
      `  leaky: { ${PYTHON}, bootstrap: ./leaks.py, env: { LEAK: ./scratch/leak }, {user} }`,
      `  lenient: { ${PYTHON}, bootstrap: ./leaky.py, env: { LEAK: ./scratch/leak }, allow: [threads, socket, "file:*"], {user} }`,
      `  closes: { ${PYTHON}, bootstrap: ./closes.py, env: { LEAK: ./scratch/leak }, {user} }`,
      `  changes: { ${PYTHON}, bootstrap: ./changes.py, {user} }`,
      `  news: { ${PYTHON}, bootstrap: ${DJANGO}/bootstrap.py, jobs: ${DJANGO}/jobs, env: { NEWSLETTER_DATABASE: ./scratch/news.sqlite3 }, {user} }`,
    ].join('\n'),
    files: {
      'app/bootstrap.py': BOOTSTRAP,
      'leaks.py': '',
      'leaky.py': LEAKY,
      'closes.py': CLOSES,
      'changes.py': 'class Version:\n    def run(self, params):\n        return 1\n',
    },
  });
  client = await daemon.connect();
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
});

async function ended(key: string, request: Omit<RunRequest, 'key'>): Promise<RunView> {
  await client.run({ key, ...request });
  return await client.wait(key, { timeout_ms: 60_000 });
}

async function logOf(key: string): Promise<string> {
  return (await client.logs(key)).data.toString();
}

/** Why a pool could not be reloaded. */
async function refusalOf(pool: string): Promise<RocksyError> {
  return await client.reload(pool).then(
    () => assert.fail(`pool ${pool} was reloaded`),
    (error: RocksyError) => error,
  );
}

for (const pool of ['web', 'forked']) {
  describe(`a class of Python, in pool ${pool}`, { concurrency: true }, () => {
    test('is run, with its output in the log and what it returns as result', async () => {
      const run = await ended(`${pool}-greet`, { pool, class: 'Greet', params: { name: 'Ada' } });
      assert.deepEqual([run.outcome, run.code, run.error], ['succeeded', 0, null]);
      assert.deepEqual(run.result, { greeted: 'Ada' });
      assert.equal(await logOf(`${pool}-greet`), 'hello Ada\n');
    });

    test('fails by an exception that nobody catches; message and trace are kept', async () => {
      const run = await ended(`${pool}-fail`, { pool, class: 'Fail' });
      assert.deepEqual([run.outcome, run.code, run.error], ['failed', 255, "KeyError: 'no such customer'"]);
      assert.match(
        await logOf(`${pool}-fail`),
        /^Traceback .*\n {2}File ".*bootstrap\.py", line \d+, in run\n/,
      );
    });

    test('ends with the integer that it returns, or the code of sys.exit()', async () => {
      for (const [name, given, code] of [
        ['Code', 7, 7],
        ['Code', 256, 255],
        ['Exit', 17, 17],
      ] as const) {
        const run = await ended(`${pool}-${name}-${given}`, { pool, class: name, params: [given] });
        assert.deepEqual([run.outcome, run.code, run.result], ['failed', code, null]);
      }
    });

    test('is no success when it is not there', async () => {
      const run = await ended(`${pool}-nope`, { pool, class: 'app.Nope' });
      assert.deepEqual([run.outcome, run.code], ['failed', 255]);
    });
  });
}

describe('what a bootstrap leaves open', () => {
  test('is named, with the remedy, and the pool refused', async () => {
    daemon.write('leaks.py', LEAKY);
    const error = await refusalOf('leaky');
    assert.equal(error.code, 'bootstrap_failed');
    assert.match(error.message, /1 thread running \(price watcher\)/);
    assert.match(error.message, /left a Unix socket open, to a process or itself \(descriptor \d+\)/);
    assert.match(error.message, /scratch\/leak open for writing/);
    assert.match(error.message, /allow: \[threads, file:.*socket/);
  });

  test('is permitted by `allow`', async () => {
    assert.equal((await ended('lenient', { pool: 'lenient', class: 'Fine' })).code, 3);
  });

  test('is nothing once its before_fork() has closed it', async () => {
    assert.equal((await ended('closes', { pool: 'closes', class: 'Fine' })).code, 3);
  });
});

test('a bootstrap that fails is told by its traceback, and the old generation serves on', async () => {
  daemon.write('changes.py', 'import json\njson.loads("{")\n');
  const error = await refusalOf('changes');
  assert.match(String(error.output), /Traceback[\s\S]*changes\.py", line 2[\s\S]*JSONDecodeError/);
  assert.equal((await ended('old', { pool: 'changes', class: 'Version' })).code, 1);
});

describe('the Django application of the examples', () => {
  test('is migrated, filled and worked on by several runs at once', async () => {
    const migrated = await ended('migrate', { pool: 'news', class: 'Migrate' });
    assert.equal(migrated.outcome, 'succeeded', await logOf('migrate'));
    assert.match(await logOf('migrate'), /Applying newsletter\.0001_first\.\.\. OK/);

    const imported = await ended('import', { pool: 'news', class: 'ImportSubscribers' });
    assert.deepEqual(imported.result, { created: 4, known: 0, rejected: 1 }, await logOf('import'));
    assert.equal(await logOf('import'), 'nobody: Enter a valid email address.\n');
    assert.deepEqual(imported.progress, { percent: 100, text: '5 of 5' });

    const keys = ['digest-1', 'digest-2', 'digest-3', 'digest-4'];
    const request: Omit<RunRequest, 'key'> = {
      pool: 'news',
      class: 'SendDigest',
      params: ['2026-48'],
    };
    const runs = await Promise.all(keys.map((key) => ended(key, request)));
    for (const run of runs) assert.equal(run.outcome, 'succeeded', run.error ?? '');
    const sent = runs.map(({ result }) => (result as { sent: number }).sent);
    assert.equal(
      sent.reduce((all, each) => all + each),
      4,
      'each of the four has had it once',
    );
  });
});
