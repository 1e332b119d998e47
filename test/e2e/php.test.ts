import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Client, RunView } from '../../src/client/index.ts';
import { TestDaemon } from '../support/daemon.ts';
import { JOBS, php } from '../support/runs.ts';

const BOOTSTRAP = `<?php
require '${JOBS}';
spl_autoload_register(static function (string $class): void {
    require __DIR__ . "/classes/$class.php";
});
`;

/** A class in a file of its own, which each run loads. */
const LAZY = `<?php
final class Lazy
{
    public function run(array $params): array
    {
        $status = opcache_get_status();
        $file = __FILE__;
        return [
            'enabled' => $status['opcache_enabled'],
            'hits' => $status['opcache_statistics']['hits'],
            'misses' => $status['opcache_statistics']['misses'],
            'fileHits' => $status['scripts'][$file]['hits'] ?? null,
            // Where PHP's shared memory is, and which: the inode of its mapping.
            'segments' => self::segments(),
            'pid' => getmypid(),
        ];
    }

    /** @return list<string> */
    private static function segments(): array
    {
        $shared = array_filter(file('/proc/self/maps'), static fn ($line) => preg_match('~ rw-s .*/dev/zero~', $line) === 1);
        return array_values(array_map(static fn ($line) => preg_replace('/ +/', ' ', trim($line)), $shared));
    }
}
`;

let daemon: TestDaemon;
let client: Client;

before(async () => {
  daemon = await TestDaemon.start({
    more: 'default_pool: web',
    pools: [
      '  web: { runtime: php, bootstrap: ./app/bootstrap.php, prefork: 2, {user} }',
      // opcache takes no file that is younger than file_update_protection: 2 seconds.
      '  forked: { runtime: php, bootstrap: ./app/bootstrap.php, prefork: 0, args: [-d, opcache.file_update_protection=0], {user} }',
    ].join('\n'),
    files: { 'app/bootstrap.php': BOOTSTRAP, 'app/classes/Lazy.php': LAZY },
  });
  client = await daemon.connect();
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
});

async function ended(key: string, code: string, pool = 'web'): Promise<RunView> {
  await client.run(php(key, code, { pool }));
  return await client.wait(key, { timeout_ms: 60_000 });
}

async function logOf(key: string): Promise<string> {
  return (await client.logs(key)).data.toString();
}

describe('what run() returns', { concurrency: true }, () => {
  test('becomes the result of the run, whatever JSON it is', async () => {
    const results: readonly [string, string][] = [
      [
        "['imported' => 1200, 'by' => ['Jürgen', null], 'ratio' => 1.0]",
        '{"imported":1200,"by":["Jürgen",null],"ratio":1.0}',
      ],
      ["'a text'", '"a text"'],
      ['true', 'true'],
      ['false', 'false'],
      ['[]', '[]'],
      ['2.5', '2.5'],
    ];
    for (const [index, [code, result]] of results.entries()) {
      const run = await ended(`result-${index}`, `return ${code};`);
      assert.deepEqual([run.outcome, run.code, run.error], ['succeeded', 0, null], code);
      assert.equal(JSON.stringify(run.result), result, code);
    }
  });

  test('is the exit code when it is an integer, and 255 when that is none', async () => {
    const codes: readonly [string, number][] = [
      ['0', 0],
      ['1', 1],
      ['255', 255],
      ['256', 255],
      ['-1', 255],
      ['null', 0],
    ];
    for (const [code, expected] of codes) {
      const run = await ended(`integer-${code}`, `return ${code};`);
      assert.deepEqual([run.code, run.retcode, run.result], [expected, expected, null], code);
      assert.equal(run.outcome, expected === 0 ? 'succeeded' : 'failed', code);
    }
  });

  test('fails the run when JSON can not hold it', async () => {
    const tooLong = await ended('result-long', 'return ["text" => str_repeat("x", 70000)];');
    assert.deepEqual([tooLong.outcome, tooLong.code, tooLong.result], ['failed', 255, null]);
    assert.match(tooLong.error ?? '', /70011 bytes of JSON, of which 65536 are allowed/);
    const none = await ended('result-none', 'return ["stream" => STDIN];');
    assert.deepEqual([none.outcome, none.code, none.result], ['failed', 255, null]);
  });
});

describe('the end of a run', { concurrency: true }, () => {
  test('by an exception that nobody catches is no success; message and trace are kept', async () => {
    const run = await ended('throws', 'echo "before\\n"; throw new RuntimeException("no such\\ncustomer");');
    assert.deepEqual([run.outcome, run.code, run.retcode], ['failed', 255, 255]);
    assert.equal(run.error, 'RuntimeException: no such\\ncustomer');
    assert.match(await logOf('throws'), /^before\n.*RuntimeException: no such\ncustomer in .*\n(.*\n)*#0 /);
  });

  test('by a fatal error is no success', async () => {
    const fatal = await ended('fatal', 'undefined_function();');
    assert.deepEqual([fatal.outcome, fatal.code], ['failed', 255]);
    assert.match(fatal.error ?? '', /undefined_function/);
    const memory = await ended(
      'memory',
      'ini_set("memory_limit", "32M"); return strlen(str_repeat("x", 64 << 20));',
    );
    assert.deepEqual([memory.outcome, memory.code], ['failed', 255]);
    assert.match(memory.error ?? '', /Allowed memory size/);
    assert.match(await logOf('memory'), /Allowed memory size/);
  });

  test('by exit() has the code that was asked for, and everything that was printed', async () => {
    const run = await ended(
      'exit',
      'register_shutdown_function(fn () => print("at the end\\n")); ob_start(); echo "buffered\\n"; exit(17);',
    );
    assert.deepEqual([run.outcome, run.code], ['failed', 17]);
    assert.deepEqual((await logOf('exit')).split('\n').sort(), ['', 'at the end', 'buffered']);
  });

  test('of a class that is not there, or has no run(), is no success', async () => {
    for (const name of ['NoSuchClass', 'stdClass']) {
      await client.run({ key: `class-${name}`, pool: 'web', class: name });
      const run = await client.wait(`class-${name}`);
      assert.deepEqual([run.outcome, run.code], ['failed', 255], name);
      assert.match(run.error ?? '', new RegExp(name), name);
    }
  });
});

test('all children share one opcache: what one has compiled, the next finds there', async () => {
  const seen = [];
  for (let n = 0; n < 6; n++) {
    const key = `opcache-${n}`;
    await client.run({ key, pool: 'forked', class: 'Lazy' });
    const run = await client.wait(key);
    assert.equal(run.outcome, 'succeeded', run.error ?? '');
    seen.push(
      run.result as {
        enabled: boolean;
        hits: number;
        misses: number;
        fileHits: number;
        segments: string[];
        pid: number;
      },
    );
  }
  const [first, second, ...others] = seen;
  assert.ok(first !== undefined && second !== undefined);
  assert.equal(new Set(seen.map(({ pid }) => pid)).size, seen.length, 'each in a process of its own');
  assert.ok(first.enabled);
  assert.ok(first.segments.length > 0);
  for (const { segments } of seen) assert.deepEqual(segments, first.segments, 'the same shared memory');
  let before = second;
  for (const one of others) {
    assert.equal(one.misses, before.misses, 'nothing was compiled again');
    assert.ok(one.hits > before.hits, `${one.hits} hits after ${before.hits}`);
    assert.ok(one.fileHits > before.fileHits, `${one.fileHits} hits of the file after ${before.fileHits}`);
    before = one;
  }
});

for (const pool of ['web', 'forked']) {
  test(`random numbers differ between the children of pool ${pool}`, async () => {
    const code = `return [mt_rand(), rand(), random_int(0, PHP_INT_MAX), lcg_value(), uniqid('', true), bin2hex(random_bytes(8)),
      (new Random\\Randomizer())->getInt(0, PHP_INT_MAX), str_shuffle(implode(range('a', 'z'))), implode(array_rand(array_flip(range(0, 999)), 5))];`;
    const runs = await Promise.all(
      Array.from({ length: 20 }, (_, n) => ended(`random-${pool}-${n}`, code, pool)),
    );
    const drawn = runs.map(({ result }) => result as readonly unknown[]);
    for (let column = 0; column < 9; column++) {
      const values = new Set(drawn.map((row) => JSON.stringify(row[column])));
      assert.equal(values.size, runs.length, `column ${column}: ${[...values].join(' ')}`);
    }
  });
}
