import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { JsonValue } from '../../wire/index.ts';
import {
  Conversation,
  classPrograms,
  contractSuite,
  factsOf,
  hugePagesKib,
  isAlive,
  job,
  logOf,
  noHugePages,
  resultOf,
  runFileOf,
  type TestedZygote,
  until,
} from '../contract-suite/index.ts';
import { FIXTURES, startZygote } from './zygote-under-test.ts';

contractSuite({
  name: 'python',
  start: startZygote,
  programs: classPrograms,
  features: { parks: true, tellsItsEnd: true },
});

const fixture = (name: string): { bootstrap: string } => ({ bootstrap: join(FIXTURES, name) });
const bootLog = (zygote: TestedZygote): string => readFileSync(zygote.bootLog, 'utf8');

describe('python: the bootstrap', () => {
  const failures: [string, object, RegExp][] = [
    [
      'raises',
      fixture('throws.py'),
      /^Traceback.*:\n {2}File ".*throws\.py", line 1[\s\S]*RuntimeError: no configuration/,
    ],
    ['calls sys.exit()', fixture('exits.py'), /the bootstrap called exit: no settings\nbye\n/],
    ['has a syntax error', fixture('broken.py'), /broken\.py", line 1\n[\s\S]*SyntaxError/],
    ['does not exist', fixture('missing.py'), /missing\.py/],
    ['has a before_fork() that raises', fixture('hook_fails.py'), /RuntimeError: cannot close/],
    [
      'has a job that cannot be loaded',
      { jobs: join(FIXTURES, 'broken_jobs') },
      /No module named 'no_such_module'/,
    ],
  ];
  for (const [what, config, message] of failures) {
    test(`that ${what} ends the zygote with a code other than 0 and says why`, async () => {
      await using zygote = startZygote({ config });
      const { code } = await zygote.exit;
      assert.ok(code !== null && code !== 0, `code ${code}`);
      assert.match(bootLog(zygote), message);
    });
  }

  test('lies in huge pages, of which a fork copies an entry for each', { skip: noHugePages }, async () => {
    await using zygote = startZygote({ config: fixture('large.py') });
    await Conversation.begin(zygote);
    assert.ok(hugePagesKib(zygote.pid) >= 2048, `${hugePagesKib(zygote.pid)} KiB`);
  });

  test('prints to the boot log, and nothing of it, nor of its loggers, again in a run', async () => {
    await using zygote = startZygote({ config: fixture('settled.py') });
    const daemon = await Conversation.begin(zygote);
    assert.match(bootLog(zygote), /record of the bootstrap/);
    assert.match(bootLog(zygote), /left in a buffer/);
    const { pid } = await daemon.run('a', job('Hello'));
    assert.equal(logOf(zygote, 'a'), `after_fork in ${pid}\nhello\n`);
  });

  for (const prefork of [0, 1]) {
    test(`has hooks: before_fork() once, after_fork() in each run (prefork: ${prefork})`, async () => {
      await using zygote = startZygote({ config: { ...fixture('settled.py'), prefork } });
      const daemon = await Conversation.serve(zygote);
      for (const key of ['a', 'b']) {
        const { pid, code } = await daemon.run(key, job('Hooked'));
        assert.equal(code, 0, logOf(zygote, key));
        assert.equal(logOf(zygote, key), `after_fork in ${pid}\nrun in ${pid}\n`);
      }
      assert.deepEqual(bootLog(zygote).match(/before_fork in \d+/g), [`before_fork in ${zygote.pid}`]);
    });
  }

  test('an after_fork() that raises fails the run', async () => {
    await using zygote = startZygote({ config: fixture('after_fork_fails.py') });
    const daemon = await Conversation.serve(zygote);
    assert.partialDeepStrictEqual(await daemon.run('a', job('Hello')), { code: 255, claimed: true });
    assert.deepEqual(factsOf(zygote, 'a'), ['error RuntimeError: no database', 'exit 255']);
  });

  test('its exit handlers and finalizers run in the zygote, once, and in no child', async () => {
    await using zygote = startZygote({ config: { ...fixture('settled.py'), prefork: 1 } });
    const daemon = await Conversation.serve(zygote);
    const runs = [job('Hello'), job('Leaving', { code: 1 }), job('Fail', { how: 'builtin' }), job('Ends')];
    for (const [index, what] of runs.entries()) {
      await daemon.run(`r${index}`, what, { cwd: zygote.folder });
      assert.doesNotMatch(logOf(zygote, `r${index}`), /bootstrap (exit|finalizer)/);
      daemon.send({ op: 'ack', key: `r${index}` });
    }
    daemon.send({ op: 'drain' });
    assert.equal((await zygote.exit).code, 0);
    const lines = bootLog(zygote)
      .split('\n')
      .filter((line) => line.startsWith('bootstrap '));
    assert.deepEqual(lines.sort(), [
      `bootstrap exit handler in ${zygote.pid}`,
      `bootstrap finalizer in ${zygote.pid}`,
    ]);
  });

  test('its signal handlers do not hold in a run, and its timers not in the zygote', async () => {
    await using zygote = startZygote({ config: fixture('settled.py') });
    const daemon = await Conversation.begin(zygote);
    for (const signal of [15, 10]) {
      const key = `by-${signal}`;
      daemon.start(key, job('Wait'));
      await until('it is ready', () => logOf(zygote, key).includes('ready'));
      await daemon.ask({ op: 'signal', key, signal });
      assert.equal((await daemon.about(key, 'ended')).signal, signal);
    }
    await daemon.run('later', { class: 'Sleep', params: 0.4 });
    assert.equal((await daemon.run('a', job('Hello'))).code, 0);
  });

  test('a helper process of it outlives the runs, which do not know it', async () => {
    await using zygote = startZygote({ config: fixture('settled.py') });
    const daemon = await Conversation.begin(zygote);
    const helper = Number(/helper (\d+)/.exec(bootLog(zygote))?.[1]);
    await daemon.run('a', job('Leave'));
    await daemon.run('b', job('Ends'), { cwd: zygote.folder });
    assert.equal(isAlive(helper), true);
  });

  test('its threads have their names for the daemon to see; those that are about to end are waited for', async () => {
    await using zygote = startZygote({ config: fixture('threads.py') });
    await Conversation.begin(zygote);
    const folder = `/proc/${zygote.pid}/task`;
    const names = readdirSync(folder)
      .filter((tid) => Number(tid) !== zygote.pid)
      .map((tid) => readFileSync(join(folder, tid, 'comm'), 'utf8'));
    assert.deepEqual(names, ['price watcher\n']);
  });
});

describe('python: a thread of the bootstrap that the pool allows', () => {
  test('takes no signal away from the zygote', async () => {
    await using zygote = startZygote({ config: { ...fixture('threads.py'), prefork: 2 } });
    const daemon = await Conversation.serve(zygote);
    for (let round = 0; round < 20; round++) {
      assert.equal((await daemon.run(`r${round}`, job('Hello'))).code, 0);
      daemon.send({ op: 'ack', key: `r${round}` });
    }
    process.kill(zygote.pid, 'SIGTERM');
    assert.equal((await zygote.exit).code, 0);
  });
});

describe('python: which class', () => {
  const jobs = join(FIXTURES, 'jobs_folder');
  const names: [string, string][] = [
    ['SendDigest', 'digest jobs_folder.SendDigest\n'],
    ['SendLetter', 'letter jobs_folder.send_letter\n'],
    ['Hello', 'hello\n'],
    ['package.module.Nested', 'nested package.module\n'],
    ['jobs_folder.send_letter.SendLetter', 'letter jobs_folder.send_letter\n'],
  ];
  test('by the file in the folder of jobs, by the bootstrap, or by its module', async () => {
    await using zygote = startZygote({ config: { jobs } });
    const daemon = await Conversation.begin(zygote);
    for (const [name, log] of names) {
      assert.equal((await daemon.run(name, job(name))).code, 0, logOf(zygote, name));
      assert.equal(logOf(zygote, name), log);
    }
  });

  test('a folder of jobs needs no bootstrap', async () => {
    await using zygote = startZygote({ config: { jobs, bootstrap: undefined } as object });
    const daemon = await Conversation.begin(zygote);
    assert.equal((await daemon.run('a', job('SendDigest'))).code, 0);
  });

  for (const [name, error] of [
    ['Nope', 'error LookupError: class "Nope" not found'],
    ['random.Nope', 'error LookupError: class "random.Nope" not found'],
    ['no.such.Nope', "error ModuleNotFoundError: No module named 'no'"],
    ['random.random', 'error LookupError: class "random.random" not found'],
    ['NoSuchCustomer', "error AttributeError: 'NoSuchCustomer' object has no attribute 'run'"],
  ] as const) {
    test(`${name} is none`, async () => {
      await using zygote = startZygote();
      const daemon = await Conversation.begin(zygote);
      assert.equal((await daemon.run('a', job(name))).code, 255);
      assert.deepEqual(factsOf(zygote, 'a'), [error, 'exit 255']);
    });
  }
});

describe('python: results and exit codes', () => {
  const unwritable = "error the result can't be written as JSON: ";
  const results: [string, number, RegExp | null][] = [
    ['none', 0, null],
    ['zero', 0, null],
    ['seven', 7, null],
    ['large', 255, null],
    ['negative', 255, null],
    ['text', 0, /^result "text \/ with é\\nand a break"$/],
    ['dict', 0, /^result \{"imported":1200,"f":1\.0\}$/],
    ['true', 0, /^result true$/],
    ['false', 0, /^result false$/],
    ['tuple', 0, /^result \[1,null\]$/],
    ['infinite', 255, new RegExp(`^${unwritable}.*not JSON compliant`)],
    ['bytes', 255, new RegExp(`^${unwritable}Object of type bytes is not JSON serializable$`)],
    ['half', 255, new RegExp(`^${unwritable}.*surrogates not allowed$`)],
    ['cycle', 255, new RegExp(`^${unwritable}Circular reference detected$`)],
    ['huge', 255, /^error the result is 70002 bytes of JSON, of which 65536 are allowed$/],
  ];
  test('what run() returns is the code or the result', async () => {
    await using zygote = startZygote();
    const daemon = await Conversation.begin(zygote);
    for (const [what, code, line] of results) {
      assert.equal((await daemon.run(what, job('Give', { what }))).code, code, what);
      const [first, ...rest] = factsOf(zygote, what);
      if (line === null) assert.deepEqual([first, rest], [`exit ${code}`, []], what);
      else assert.match(first ?? '', line);
      assert.equal(runFileOf(zygote, what).at(-1), `exit ${code}`);
    }
  });

  const failures: [string, string, RegExp][] = [
    [
      'exception',
      'error jobs.NoSuchCustomer: no such customer\\nsecond line',
      /^Traceback[\s\S]*KeyError: 'the cause'\n[\s\S]*direct cause[\s\S]*\n {2}File ".*jobs\.py", line \d+, in run\n[\s\S]*jobs\.NoSuchCustomer: no such customer\nsecond line\n$/,
    ],
    ['builtin', 'error ZeroDivisionError: integer division or modulo by zero', /ZeroDivisionError/],
    ['silent', 'error jobs.Silent', /jobs\.Silent/],
    ['syntax', 'error SyntaxError: invalid syntax (given.py, line 1)', /File "given\.py", line 1/],
    ['interrupt', 'error KeyboardInterrupt', /KeyboardInterrupt/],
    ['file', 'error OSError: [Errno 28] No space left on device', /No space left/],
  ];
  test('a failure: code 255, the trace in the log, the message as error', async () => {
    await using zygote = startZygote();
    const daemon = await Conversation.begin(zygote);
    for (const [how, error, trace] of failures) {
      const ended = await daemon.run(how, job('Fail', { how }));
      assert.partialDeepStrictEqual(ended, { code: 255, signal: null, claimed: true });
      assert.deepEqual(factsOf(zygote, how), [error, 'exit 255']);
      assert.match(logOf(zygote, how), trace);
      assert.doesNotMatch(logOf(zygote, how), /rocksy\/zygote/);
    }
  });

  test('the excepthook of the bootstrap hears of it too', async () => {
    await using zygote = startZygote({ config: fixture('settled.py') });
    const daemon = await Conversation.begin(zygote);
    assert.equal((await daemon.run('a', job('Fail', { how: 'builtin' }))).code, 255);
    assert.match(logOf(zygote, 'a'), /Traceback[\s\S]*hook of the bootstrap: integer division/);
  });

  const exits: [JsonValue, number, string[]][] = [
    [0, 0, []],
    [null, 0, []],
    [3, 3, []],
    [300, 44, []],
    [-1, 255, []],
    ['no customers', 1, ['error no customers']],
  ];
  for (const [code, told, lines] of exits) {
    test(`sys.exit(${JSON.stringify(code)}) ends with ${told}, after exit handlers and with what is in buffers`, async () => {
      await using zygote = startZygote();
      const daemon = await Conversation.begin(zygote);
      assert.equal((await daemon.run('a', job('Leaving', { code }))).code, told);
      assert.deepEqual(factsOf(zygote, 'a'), [...lines, `exit ${told}`]);
      const said = typeof code === 'string' ? `${code}\n` : '';
      assert.equal(logOf(zygote, 'a').replace(said, ''), 'before\nin a bufferexit handler\nthe end');
    });
  }

  test('the end of a run: threads, exit handlers, finalizers, loggers, children, files', async () => {
    await using zygote = startZygote({ config: { ...fixture('settled.py'), prefork: 1 } });
    const daemon = await Conversation.serve(zygote);
    assert.equal((await daemon.run('a', job('Ends'), { cwd: zygote.folder })).code, 0, logOf(zygote, 'a'));
    const lines = logOf(zygote, 'a').trimEnd().split('\n').slice(1);
    const expected = ['buffered record', 'exit handler', 'finalizer', 'pool', 'process', 'thread'];
    assert.deepEqual(lines.sort(), expected);
    assert.equal(readFileSync(join(zygote.folder, 'text'), 'utf8'), 'global');
    assert.equal(readFileSync(join(zygote.folder, 'cycle'), 'utf8'), 'cycle');
    assert.equal(gunzipSync(readFileSync(join(zygote.folder, 'packed.gz'))).toString(), 'zipped');
  });

  test('what a run has forked writes nothing about it', async () => {
    await using zygote = startZygote();
    const daemon = await Conversation.begin(zygote);
    assert.equal((await daemon.run('a', job('ForksAndReturns'))).code, 0);
    assert.equal(logOf(zygote, 'a'), 'child: 0\n');
    assert.deepEqual(factsOf(zygote, 'a'), ['result {"from":1}', 'exit 0']);
  });
});

describe('python: a run', () => {
  for (const prefork of [0, 1]) {
    test(`gets its parameters as one value (prefork: ${prefork})`, async () => {
      await using zygote = startZygote({ config: { prefork } });
      const daemon = await Conversation.serve(zygote);
      daemon.write(
        '{"op":"start","key":"a","file":"a","class":"Params","params":{"id":18446744073709551615,"list":[1,"é",null]}}\n',
      );
      await daemon.about('a', 'ended');
      assert.equal(logOf(zygote, 'a'), "({'id': 18446744073709551615, 'list': [1, 'é', None]},)\n");
      await daemon.run('b', { class: 'Params' });
      assert.equal(logOf(zygote, 'b'), '([],)\n');
    });

    test(`stands in an interpreter like any other (prefork: ${prefork})`, async () => {
      await using zygote = startZygote({ config: { prefork, pool: 'p', generation: 3 } });
      const daemon = await Conversation.serve(zygote);
      await daemon.run('a', job('Standing'));
      assert.deepEqual(resultOf(zygote, 'a'), {
        title: 'rocksy p/3 Standing',
        pdeathsig: 0,
        session: true,
        frozen: true,
        collects: true,
        argv: ['jobs.py'],
        path: true,
        pickles: true,
        config: false,
      });
    });
  }

  test('draws random numbers of its own', async () => {
    await using zygote = startZygote({ config: { ...fixture('settled.py'), prefork: 3 } });
    const daemon = await Conversation.serve(zygote);
    const keys = Array.from({ length: 12 }, (_, index) => `k${index}`);
    daemon.send(...keys.map((key) => ({ op: 'start', key, file: key, ...job('Random') })));
    for (const key of keys) assert.equal((await daemon.about(key, 'ended')).code, 0);
    const drawn = keys.map((key) => resultOf(zygote, key));
    for (const source of Object.keys(drawn[0] ?? {})) {
      const values = new Set(drawn.map((run) => JSON.stringify(run[source])));
      assert.equal(values.size, keys.length, source);
    }
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

describe('python: what goes wrong', () => {
  test('a run whose log cannot be opened fails and says so', async () => {
    await using zygote = startZygote();
    const daemon = await Conversation.begin(zygote);
    mkdirSync(join(zygote.runs, 'a.log'));
    assert.partialDeepStrictEqual(await daemon.run('a', job('Hello')), { code: 255, claimed: true });
    assert.match(factsOf(zygote, 'a')[0] ?? '', /^error cannot open the log .*a\.log: Is a directory$/);
  });
});
