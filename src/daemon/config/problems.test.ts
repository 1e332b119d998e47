import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DocumentError } from '../../document/index.ts';
import { asAda, asRoot, load, problemsOf } from './fixtures/machine.ts';

/** A pool that is right, for the tests of everything else. */
const pools = 'pools: { os: { runtime: command } }';

test('text that is no YAML is told of, with its line where there is one', () => {
  const cases = {
    'pools:\n\tos: 1': ['2: tabs are not allowed as indentation'],
    [`${pools}\nlisten: [`]: [
      '2: flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    [`${pools}\n---\n${pools}`]: ['2: a second document begins here, the file may have one'],
    [`${pools}\nlisten: *nowhere`]: ['2: *nowhere stands before its &nowhere, or without it'],
    [`${pools}\nlog: !secret x`]: [
      '2: log: expected a mapping with level, got "x"',
      '2: unresolved tag: !secret',
    ],
    [`${pools}\n<<: x`]: ['merge sources must be maps or map aliases'],
    [`${pools}\n? [a]\n: 1`]: ['2: a key is a text, not a list or a mapping'],
  };
  for (const [yaml, problems] of Object.entries(cases)) assert.deepEqual(problemsOf(yaml), problems, yaml);
});

test('a key that stands twice is told of with both lines, and the rest of the file is still checked', () => {
  assert.deepEqual(problemsOf('pools:\n  os:\n    runtime: command\n    nice: 1\n    nice: 2\nstate: 3'), [
    '5: pools.os.nice: is there twice, first in line 4',
    '6: state: expected the path of a folder, got 3 (put it in quotes)',
  ]);
});

test('a file without a mapping says what it should be', () => {
  const expected = '1: expected a mapping with the settings of rocksyd, got';
  assert.deepEqual(problemsOf(''), [`${expected} nothing`]);
  assert.deepEqual(problemsOf('# only\n# comments\n'), [`${expected} nothing`]);
  assert.deepEqual(problemsOf('- a\n'), [`${expected} a list`]);
  assert.deepEqual(problemsOf('state: ./var'), [
    '1: pools: missing: expected a mapping with one or more pools',
  ]);
});

test('a wrong value says what was expected and what is there', () => {
  const cases = {
    'listen: tcp://127.0.0.1':
      'listen: expected a list of one or more addresses: tcp://HOST:PORT or unix:PATH, got "tcp://127.0.0.1"',
    'listen: []':
      'listen: expected a list of one or more addresses: tcp://HOST:PORT or unix:PATH, got an empty list',
    'insecure: "yes"': 'insecure: expected true or false, got "yes"',
    'stop_runs: halt': 'stop_runs: expected stop or leave, got "halt"',
    'stop_runs: leaev': 'stop_runs: expected stop or leave, got "leaev" (did you mean leave?)',
    'stop_grace: 10':
      'stop_grace: expected a duration such as 500ms, 10s, 5m, 24h or 30d, got 10 (no unit: 10s or 10m?)',
    'stop_grace: 25d': 'stop_grace: expected at most 24d',
    'min_free: 256':
      'min_free: expected a size such as 64KiB, 512MiB, 2GiB or 10MB, got 256 (no unit: 256KiB or 256MiB?)',
    'min_free: 5000TiB': 'min_free: expected at most 1024TiB',
    'log_max: 1KiB': 'log_max: expected at least 64KiB',
    'log_max: 5': 'log_max: expected a size such as 256MiB, or unlimited, got 5 (no unit: 5KiB or 5MiB?)',
    'retention: { runs: 40000d }': 'retention.runs: expected at most 36500d',
    'retention: { run: 4d }': 'retention.run: unknown key (did you mean runs?)',
    'retention: { days: 4 }': 'retention.days: unknown key (known: runs, max_runs, logs, log_bytes)',
    'limits: { connections: 0 }': 'limits.connections: expected an integer from 1 to 1000000, got 0',
    'limits: { line: 1B }': 'limits.line: expected at least 1KiB',
    'log: { level: inof }':
      'log.level: expected trace, debug, info, warn, error, fatal or silent, got "inof" (did you mean info?)',
    'mask: ["(secret"]': 'mask[0]: not a regular expression of JavaScript: Unterminated group',
    'mask: [ok, "a*"]': 'mask[1]: matches the empty text, so it would mask between any two characters',
    'auth: all': 'auth: expected none, or a mapping with tokens',
    'auth: {}': 'auth.tokens: missing: expected a list of one or more tokens',
    'default_poool: os': 'default_poool: unknown key (did you mean default_pool?)',
    'colour: red': 'colour: unknown key (docs/configuration.md has them all)',
  };
  for (const [yaml, problem] of Object.entries(cases)) {
    assert.deepEqual(problemsOf(`# a comment\n${pools}\n${yaml}`), [`3: ${problem}`], yaml);
  }
});

test('a wrong value in a pool says what was expected and what is there', () => {
  const cases = {
    'prefork: four': 'prefork: expected an integer from 0 to 1000, got "four"',
    'prefork: 1001': 'prefork: expected an integer from 0 to 1000, got 1001',
    'prefrok: 4': 'prefrok: unknown key (did you mean prefork?)',
    'nice: 20': 'nice: expected an integer from -20 to 19, got 20',
    'args: [-n, 5]': 'args[1]: expected a text, got 5 (put it in quotes)',
    'args: -n': 'args: expected a list of arguments for the interpreter, got "-n"',
    'env: { A-B: x }': 'env.A-B: expected the name of a variable: letters, digits and _',
    'env: { ROCKSY_KEY: x }': 'env.ROCKSY_KEY: names that begin with ROCKSY_ are set by Rocksy itself',
    'allow_env: ["A*B"]':
      'allow_env[0]: expected the name of a variable, with a * at its end for any rest, got "A*B"',
    'timeout: 1.5h': 'timeout: expected a duration such as 500ms, 10s, 5m, 24h or 30d, got "1.5h"',
    'timeout: 30d': 'timeout: expected at most 24d',
    'boot_timeout: 0s': 'boot_timeout: expected at least 1ms',
    'max_memory: 1KiB': 'max_memory: expected at least 1MiB',
    'rlimits: { nofle: 3 }': 'rlimits.nofle: unknown key (did you mean nofile?)',
    'rlimits: { core: lots }':
      'rlimits.core: expected a number, a size such as 64KiB, unlimited, or a mapping with soft and hard, got "lots"',
    'rlimits: { core: { soft: -1, hard: 1 } }':
      'rlimits.core.soft: expected a number, a size such as 64KiB, or unlimited, got -1',
    'rlimits: { core: { soft: 1 } }':
      'rlimits.core.hard: missing: expected a number, a size such as 64KiB, or unlimited',
    'rlimits: { as: { soft: 2GiB, hard: 1GiB } }': 'rlimits.as: soft is 2GiB, more than hard, which is 1GiB',
    'rlimits: { nofile: 4KiB }': 'rlimits.nofile: does not count bytes: expected a number or unlimited',
  };
  for (const [yaml, problem] of Object.entries(cases)) {
    const file = `pools:\n  web:\n    runtime: php\n    bootstrap: ./bootstrap.php\n    ${yaml}`;
    assert.deepEqual(problemsOf(file), [`5: pools.web.${problem}`], yaml);
  }
});

test('what may be a secret is not repeated', () => {
  const yaml = [
    pools.replace('command', 'command, env: { PIN: 4711 }'),
    'auth: { tokens: [{ name: a, role: admin, sha256: hunter2 }] }',
    'mask: ["hunter2("]',
  ].join('\n');
  const problems = problemsOf(yaml);
  assert.equal(problems.length, 3);
  assert.doesNotMatch(problems.join('\n'), /hunter2|4711/);
});

test('all problems of a file are told at once, in the order of its lines, however many', () => {
  const many = Array.from({ length: 50 }, (_, index) => `  p${index}: { runtime: php, nice: 99 }`);
  const yaml = ['default_pool: p1', 'stop_grace: 5', 'pools:', ...many, 'listen: [tcp://0.0.0.0]'].join('\n');
  const problems = problemsOf(yaml);
  assert.equal(problems.length, 1 + 2 * 50 + 1);
  assert.deepEqual(problems.slice(1, 4), [
    '4: pools.p0.bootstrap: missing: expected the PHP file that loads the application (bootstrap: ./bootstrap.php)',
    '4: pools.p0.nice: expected an integer from -20 to 19, got 99',
    '5: pools.p1.bootstrap: missing: expected the PHP file that loads the application (bootstrap: ./bootstrap.php)',
  ]);
  assert.match(problems.at(-1) ?? '', /^54: listen\[0\]: /);
});

test('one mistake is not told twice: what follows from it is left out', () => {
  const yaml = `listen: [tcp://127.0.0.1]
auth: { tokens: [{ name: a, role: admin, sha256: short }] }
default_pool: Web
pools:
  Web: { runtime: command }
  php: { runtime: php, bootstrap: 5 }
  other: { runtime: ruby }`;
  assert.deepEqual(problemsOf(yaml, asAda), [
    '2: auth.tokens[0].sha256: expected the SHA-256 of the token, 64 hexadecimal digits',
    '5: pools.Web: expected the name of a pool: 1 to 32 of a-z, 0-9, _ and -, beginning with a letter',
    '6: pools.php.bootstrap: expected the path of a file, got 5 (put it in quotes)',
    '7: pools.other.runtime: expected php, python, node or command, got "ruby"',
  ]);
});

test('a wrong value behind an alias is told where it takes effect', () => {
  const yaml = `default_pool: a
pools:
  a: &a { runtime: command, nice: 99 }
  b: { <<: *a, queue: 1 }`;
  assert.deepEqual(problemsOf(yaml), [
    '3: pools.a.nice: expected an integer from -20 to 19, got 99',
    '4: pools.b.nice: expected an integer from -20 to 19, got 99',
  ]);
});

test('a DocumentError carries the problems as data, and its message is what format() prints', () => {
  const yaml = 'pools:\n  os: { runtime: command,\n        nice: high }';
  assert.throws(
    () => load(yaml, asRoot),
    (error) => {
      assert.ok(error instanceof DocumentError);
      assert.deepEqual(error.problems[1], {
        line: 3,
        column: 9,
        key: 'pools.os.nice',
        message: 'expected an integer from -20 to 19, got "high"',
      });
      assert.equal(error.problems[0]?.hint, 'say `user: www-data`, or `user: root` if you mean it');
      assert.equal(error.message, error.format());
      return true;
    },
  );
});
