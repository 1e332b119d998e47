import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  Conversation,
  classPrograms,
  contractSuite,
  factsOf,
  isAlive,
  job,
  logOf,
  resultOf,
  type TestedZygote,
} from '../contract-suite/index.ts';
import { PHP_FLAGS } from '../launcher.ts';
import { FIXTURES, startZygote } from './zygote-under-test.ts';

contractSuite({
  name: 'php',
  start: startZygote,
  programs: classPrograms,
  features: { parks: true, tellsItsEnd: true },
});

const fixture = (name: string): { bootstrap: string } => ({ bootstrap: join(FIXTURES, name) });
const bootLog = (zygote: TestedZygote): string => readFileSync(zygote.bootLog, 'utf8');

describe('php: the bootstrap', () => {
  const failures: [string, string, RegExp][] = [
    ['throws', 'throws.php', /RuntimeException: no configuration/],
    ['calls exit(0)', 'exits.php', /bye\n[\s\S]*the bootstrap called exit/],
    ['has a syntax error', 'broken.php', /ParseError|syntax error/],
    ['ends in a fatal error', 'fatal.php', /Fatal error/],
    ['does not exist', 'missing.php', /missing\.php/],
    ['has a hook that fails', 'hook_fails.php', /LogicException: still in a transaction/],
    ['has a hook that calls exit', 'hook_exits.php', /the bootstrap called exit/],
    ['has a hook that is no function', 'hook_is_none.php', /'afterFork' of what .*: expected a function/],
  ];
  for (const [what, file, message] of failures) {
    test(`that ${what} ends the zygote with a code other than 0 and says why`, async () => {
      await using zygote = startZygote({ config: fixture(file) });
      const { code } = await zygote.exit;
      assert.ok(code !== null && code !== 0, `code ${code}`);
      assert.match(bootLog(zygote), message);
    });
  }

  test('prints to the boot log, what it left in buffers too', async () => {
    await using zygote = startZygote({ config: fixture('settled.php') });
    const daemon = await Conversation.begin(zygote);
    assert.match(bootLog(zygote), /from the bootstrap\n[\s\S]*left in a buffer\n/);
    await daemon.run('a', job('Hello'));
    assert.equal(logOf(zygote, 'a'), 'hello\n');
  });

  test('its handlers, limits and settings hold in a run, its signal handlers do not', async () => {
    await using zygote = startZygote({
      config: { ...fixture('settled.php'), prefork: 1, pool: 'p', generation: 3 },
    });
    const daemon = await Conversation.serve(zygote);
    await daemon.run('a', job('Standing'));
    const { age, ...standing } = resultOf(zygote, 'a');
    assert.deepEqual(standing, {
      error_handler: true,
      exception_handler: true,
      memory_limit: '300M',
      title: 'rocksy p/3 Standing',
      argc: 1,
      pdeathsig: 0,
      session: true,
    });
    assert.ok(Number(age) < 5);
    daemon.start('b', job('Wait'), { timeout_ms: 100 });
    assert.equal((await daemon.about('b', 'ended')).signal, 15);
  });

  test('its shutdown functions and destructors run in the zygote, once, and in no child', async () => {
    await using zygote = startZygote({ config: { ...fixture('settled.php'), prefork: 1 } });
    const daemon = await Conversation.serve(zygote);
    const runs = [
      job('Hello'),
      job('Leaving', { code: 1 }),
      job('Fail', { how: 'fatal' }),
      job('Destructors'),
      job('Nope'),
    ];
    for (const [index, what] of runs.entries()) {
      await daemon.run(`r${index}`, what);
      assert.doesNotMatch(logOf(zygote, `r${index}`), /bootstrap (shutdown|destructor)/);
      daemon.send({ op: 'ack', key: `r${index}` });
    }
    daemon.send({ op: 'drain' });
    assert.equal((await zygote.exit).code, 0);
    const lines = bootLog(zygote)
      .split('\n')
      .filter((line) => line.startsWith('bootstrap '));
    assert.deepEqual(lines, [`bootstrap shutdown in ${zygote.pid}`, `bootstrap destructor in ${zygote.pid}`]);
  });

  test('an object of it that a run lets go has its destructor called', async () => {
    await using zygote = startZygote({ config: fixture('settled.php') });
    const daemon = await Conversation.begin(zygote);
    const { pid } = await daemon.run('a', job('Replaces'));
    assert.equal(logOf(zygote, 'a'), `bootstrap destructor in ${pid}\n`);
  });

  test('a stream that it has on the boot log leads to the log in a run', async () => {
    await using zygote = startZygote({ config: fixture('settled.php') });
    const daemon = await Conversation.begin(zygote);
    await daemon.run('a', job('Logs'));
    assert.equal(logOf(zygote, 'a'), 'through an early stream\n');
    assert.match(bootLog(zygote), /opened early/);
  });

  for (const prefork of [0, 1]) {
    test(`its hooks are called: once before the fork, and first in each run (prefork: ${prefork})`, async () => {
      await using zygote = startZygote({ config: { ...fixture('hooks.php'), prefork } });
      const daemon = await Conversation.serve(zygote);
      assert.equal(bootLog(zygote), `loaded\nbeforeFork in ${zygote.pid}\n`);
      for (const key of ['a', 'b']) {
        await daemon.run(key, job('Asks'));
        assert.equal(logOf(zygote, key), 'afterFork\nrun\n');
        assert.deepEqual(resultOf(zygote, key), { connected: true });
      }
      assert.equal(bootLog(zygote), `loaded\nbeforeFork in ${zygote.pid}\n`, 'not in the probe');
    });
  }

  test('a hook after the fork that fails has failed the run', async () => {
    await using zygote = startZygote({ config: fixture('hooks.php') });
    const daemon = await Conversation.serve(zygote);
    const { code } = await daemon.run('a', job('Asks'), { env: { ROCKSY_TEST_HOOK: 'fails' } });
    assert.equal(code, 255);
    assert.deepEqual(factsOf(zygote, 'a'), ['error RuntimeException: no database', 'exit 255']);
    assert.doesNotMatch(logOf(zygote, 'a'), /^run$/m);
  });

  test('a helper process that it has started is not killed with what runs leave behind', async () => {
    await using zygote = startZygote({ config: fixture('helper.php') });
    const daemon = await Conversation.begin(zygote);
    const helper = Number(bootLog(zygote));
    await daemon.run('a', job('Leave'));
    assert.equal(isAlive(helper), true);
  });
});

describe('php: results and exit codes', () => {
  const results: [string, number, string[]][] = [
    ['null', 0, []],
    ['zero', 0, []],
    ['seven', 7, []],
    ['large', 255, []],
    ['negative', 255, []],
    ['string', 0, ['result "text / with é\\nand a break"']],
    ['array', 0, ['result {"imported":1200,"f":1.0}']],
    ['true', 0, ['result true']],
    ['object', 0, ['result {"a":1}']],
    ['infinite', 255, ["error the result can't be written as JSON: Inf and NaN cannot be JSON encoded"]],
    [
      'binary',
      255,
      ["error the result can't be written as JSON: Malformed UTF-8 characters, possibly incorrectly encoded"],
    ],
    ['huge', 255, ['error the result is 70002 bytes of JSON, of which 65536 are allowed']],
  ];
  for (const [what, code, lines] of results) {
    test(`run() returns: ${what}`, async () => {
      await using zygote = startZygote();
      const daemon = await Conversation.begin(zygote);
      assert.equal((await daemon.run('a', job('Give', { what }))).code, code);
      assert.deepEqual(factsOf(zygote, 'a'), [...lines, `exit ${code}`]);
    });
  }

  const failures: [string, string, RegExp][] = [
    [
      'exception',
      'error DomainException: no such customer\\nsecond line',
      /Uncaught RuntimeException: the cause[\s\S]*Next DomainException: no such customer[\s\S]*#0 \{main\}\n {2}thrown in .*jobs\.php on line \d+/,
    ],
    [
      'error',
      'error Error: Call to undefined function undefined_function()',
      /Uncaught Error: Call to undefined function/,
    ],
    [
      'fatal',
      'error Class A1 cannot extend interface Broken',
      /Fatal error: Class A1 cannot extend interface Broken/,
    ],
    ['memory', 'error Allowed memory size of 33554432 bytes exhausted', /Allowed memory size/],
    ['user error', 'error the user says no', /the user says no/],
    ['abstract', 'error Class FilterIterator@anonymous contains 1 abstract method', /abstract method/],
    ['shutdown', 'error Uncaught RuntimeException: in a shutdown function', /in a shutdown function/],
    ['destructor', 'error RuntimeException: in a destructor', /in a destructor/],
    ['buffer', 'error RuntimeException: in a buffer', /in a buffer/],
  ];
  for (const [how, error, trace] of failures) {
    test(`a failure (${how}): code 255, the trace in the log, the message as error`, async () => {
      await using zygote = startZygote();
      const daemon = await Conversation.begin(zygote);
      const ended = await daemon.run('a', job('Fail', { how }));
      assert.partialDeepStrictEqual(ended, { code: 255, signal: null, claimed: true });
      const [message = '', ...rest] = factsOf(zygote, 'a');
      assert.equal(message.slice(0, error.length), error);
      assert.deepEqual(rest, ['exit 255']);
      assert.match(logOf(zygote, 'a'), trace);
      assert.doesNotMatch(logOf(zygote, 'a'), /zygote\/php\/Child/);
    });
  }

  test('a class that does not exist', async () => {
    await using zygote = startZygote();
    const daemon = await Conversation.begin(zygote);
    assert.equal((await daemon.run('a', job('App\\Nope'))).code, 255);
    assert.deepEqual(factsOf(zygote, 'a'), ['error Class "App\\Nope" not found', 'exit 255']);
  });

  test('the exception handler of the bootstrap hears of it too', async () => {
    await using zygote = startZygote({ config: fixture('settled.php') });
    const daemon = await Conversation.begin(zygote);
    assert.equal((await daemon.run('a', job('Fail', { how: 'exception' }))).code, 255);
    assert.match(logOf(zygote, 'a'), /Uncaught[\s\S]*handler of the bootstrap: no such customer/);
  });

  for (const [code, told] of [
    [0, 0],
    [3, 3],
    [300, 44],
  ] as const) {
    test(`exit(${code}) ends with ${told}, after shutdown functions and with what is in buffers`, async () => {
      await using zygote = startZygote();
      const daemon = await Conversation.begin(zygote);
      assert.equal((await daemon.run('a', job('Leaving', { code }))).code, told);
      assert.equal(logOf(zygote, 'a'), 'before\nbuffered\nshutdown function\n');
      assert.deepEqual(factsOf(zygote, 'a'), [`exit ${told}`]);
    });
  }

  test('exit() in a shutdown function has the last word', async () => {
    await using zygote = startZygote({ config: fixture('settled.php') });
    const daemon = await Conversation.begin(zygote);
    assert.equal((await daemon.run('a', job('Leaving', { code: 3, again: 9 }))).code, 9);
    assert.equal(logOf(zygote, 'a'), 'before\nbuffered\nshutdown function\n');
    assert.deepEqual(factsOf(zygote, 'a'), ['exit 9']);
  });

  test('destructors of all that the run created are called, after its shutdown functions', async () => {
    await using zygote = startZygote();
    const daemon = await Conversation.begin(zygote);
    await daemon.run('a', job('Destructors'));
    const [first, second, ...rest] = logOf(zygote, 'a').trimEnd().split('\n');
    assert.equal(first, 'destructor of a local variable');
    assert.equal(second, 'shutdown function of the run');
    const expected = ['a cycle', 'a global variable', 'a static property'].map(
      (name) => `destructor of ${name}`,
    );
    assert.deepEqual(rest.sort(), expected);
  });

  test('PHP tells how it ends: children need not go through its own exit', () => {
    const found = execFileSync('php', [...PHP_FLAGS, join(FIXTURES, 'engine.php')], { encoding: 'utf8' });
    assert.deepEqual(JSON.parse(found), {
      'shutdown functions': 2,
      'exit status set': true,
      'exit status': 7,
    });
  });

  test('what a run has forked writes nothing about it', async () => {
    await using zygote = startZygote();
    const daemon = await Conversation.begin(zygote);
    assert.equal((await daemon.run('a', job('ForksAndReturns'))).code, 0);
    assert.equal(logOf(zygote, 'a'), 'child: 0\n');
    assert.deepEqual(factsOf(zygote, 'a'), ['result {"from":1}', 'exit 0']);
  });
});

describe('php: a run', () => {
  for (const prefork of [0, 1]) {
    test(`gets its parameters as one array (prefork: ${prefork})`, async () => {
      await using zygote = startZygote({ config: { prefork } });
      const daemon = await Conversation.serve(zygote);
      const large =
        '{"op":"start","key":"a","file":"a","class":"Params","params":{"id":18446744073709551615,"list":[1,"é",null]}}\n';
      daemon.write(large);
      await daemon.about('a', 'ended');
      assert.match(
        logOf(zygote, 'a'),
        /^array \(\s+0 =>\s+array \(\s+'id' => 1\.8446744073709552E\+19,\s+'list' =>/,
      );
      await daemon.run('b', { class: 'Params' });
      assert.match(logOf(zygote, 'b'), /^array \(\s+0 =>\s+array \(\s+\),\s+\)$/);
    });
  }

  test('draws random numbers of its own', async () => {
    await using zygote = startZygote({ config: { ...fixture('settled.php'), prefork: 3 } });
    const daemon = await Conversation.serve(zygote);
    const keys = Array.from({ length: 12 }, (_, index) => `k${index}`);
    daemon.send(...keys.map((key) => ({ op: 'start', key, file: key, ...job('Random') })));
    for (const key of keys) assert.equal((await daemon.about(key, 'ended')).code, 0);
    const drawn = keys.map((key) => resultOf(zygote, key));
    for (const source of Object.keys(drawn[0] ?? {})) {
      assert.equal(new Set(drawn.map((values) => values[source])).size, keys.length, source);
    }
  });

  test('shares the opcode cache with all others', async () => {
    await using zygote = startZygote();
    const daemon = await Conversation.begin(zygote);
    const hits = async (): Promise<number> => {
      const stats = await daemon.ask({ op: 'stats' });
      assert.ok(stats.event === 'stats');
      const { opcache } = stats.extra as { opcache: { statistics: { hits: number } } };
      return opcache.statistics.hits;
    };
    await daemon.run('a', job('Lazy'));
    const before = await hits();
    await daemon.run('b', job('Lazy'));
    assert.deepEqual(factsOf(zygote, 'b'), ['result "lazy cached"', 'exit 0']);
    assert.ok((await hits()) > before);
  });

  test('tells its progress', async () => {
    await using zygote = startZygote();
    const daemon = await Conversation.begin(zygote);
    await daemon.run('a', job('Progress'));
    assert.deepEqual(factsOf(zygote, 'a'), [
      'progress 0 two\\nlines',
      `progress 100 ${'é'.repeat(500)}`,
      'progress 7',
      'progress 50 from a shell',
      'exit 0',
    ]);
  });

  test('is no argv', async () => {
    await using zygote = startZygote();
    const daemon = await Conversation.begin(zygote);
    daemon.start('a', { argv: ['true'] });
    assert.match((await daemon.about('a', 'refused')).message, /class/);
  });
});

describe('php: what goes wrong', () => {
  test('a run whose log cannot be opened fails and says so', async () => {
    await using zygote = startZygote();
    const daemon = await Conversation.begin(zygote);
    mkdirSync(join(zygote.runs, 'a.log'));
    assert.partialDeepStrictEqual(await daemon.run('a', job('Hello')), { code: 255, claimed: true });
    assert.match(factsOf(zygote, 'a')[0] ?? '', /^error cannot open the log .*a\.log: Is a directory$/);
  });
});
