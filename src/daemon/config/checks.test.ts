import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DocumentError } from '../../document/index.ts';
import { asAda, asRoot, dir, load, problemsOf } from './fixtures/machine.ts';

const pools = 'pools: { os: { runtime: command } }';
const tokens = `auth: { tokens: [{ name: ci, role: admin, sha256: ${'a'.repeat(64)} }] }`;

test('a TCP listener without auth says what to add', () => {
  assert.deepEqual(
    problemsOf(`${pools}\nlisten:\n  - unix:./a\n  - tcp://127.0.0.1:1\n  - tcp://10.0.0.1:1`),
    [
      '4: listen[1]: tcp://127.0.0.1:1 needs auth, which says who may use it (`auth: none` lets in everybody on this machine, `auth: { tokens: […] }` those who have one)',
      '5: listen[2]: tcp://10.0.0.1:1 needs auth, which says who may use it (auth: { tokens: [{ name: …, role: …, sha256: … }] })',
    ],
  );
});

test('auth: none is for loopback only', () => {
  assert.deepEqual(
    problemsOf(`listen: [tcp://0.0.0.0, "tcp://[::]:2", "tcp://[::1]"]\n${pools}\nauth: none`),
    [
      '3: auth: none is for loopback only: other machines can reach tcp://0.0.0.0:31337, tcp://[::]:2 (use tokens, or listen on 127.0.0.1)',
    ],
  );
  for (const host of ['127.0.0.1', '127.1.2.3', 'localhost', '[::1]', '[0:0::1]']) {
    assert.deepEqual(problemsOf(`listen: ["tcp://${host}"]\n${pools}\nauth: none`), [], host);
  }
  for (const host of ['10.0.0.1', 'example.org', '[::ffff:10.0.0.1]', '128.0.0.1', 'localhost.evil.org']) {
    assert.equal(problemsOf(`listen: ["tcp://${host}"]\n${pools}\nauth: none`).length, 1, host);
  }
});

test('tokens beyond loopback need insecure: true', () => {
  const yaml = `${pools}\n${tokens}\nlisten: [tcp://127.0.0.1, tcp://db.example.org]`;
  assert.deepEqual(problemsOf(yaml), [
    '3: listen[1]: tcp://db.example.org:31337 can be reached from other machines, and there is no TLS: tokens travel in clear (say `insecure: true` if the network is safe, or listen on 127.0.0.1 behind a tunnel)',
  ]);
  assert.deepEqual(problemsOf(`${yaml}\ninsecure: true`), []);
});

test('addresses are normalised, and two alike are told of', () => {
  const yaml = `${pools}\n${tokens}\nlisten:
  - tcp://LOCALHOST
  - tcp://127.0.0.1:31337
  - unix:./var/../a.sock
  - unix:a.sock?mode=0666
  - "tcp://[0::1]:5"
  - tcp://[::1]:5`;
  assert.deepEqual(problemsOf(yaml), [
    '5: listen[1]: tcp://127.0.0.1:31337 is there twice, first as listen[0]',
    '7: listen[3]: unix:DIR/a.sock is there twice, first as listen[2]',
    '9: listen[5]: tcp://[::1]:5 is there twice, first as listen[4]',
  ]);
});

test('an address that is none says how one looks', () => {
  const cases = {
    'http://localhost': 'expected tcp://HOST:PORT or unix:PATH, got "http://localhost"',
    'tcp://': 'expected tcp://HOST:PORT, got "tcp://" (tcp://127.0.0.1:31337)',
    'tcp://127.0.0.1:65536': 'expected tcp://HOST:PORT, got "tcp://127.0.0.1:65536" (tcp://127.0.0.1:31337)',
    'tcp://127.0.0.1/x': 'expected tcp://HOST:PORT, got "tcp://127.0.0.1/x" (tcp://127.0.0.1:31337)',
    'tcp://1.2.3': 'expected tcp://HOST:PORT, got "tcp://1.2.3" (tcp://127.0.0.1:31337)',
    'tcp://*:1': 'expected tcp://HOST:PORT, got "tcp://*:1" (tcp://127.0.0.1:31337)',
    'unix:': 'expected unix:PATH, got "unix:" (unix:./var/rocksyd.sock)',
    'unix:./var/': 'expected unix:PATH, got "unix:./var/" (unix:./var/rocksyd.sock)',
    'unix://run/a.sock':
      'unix:// wants an absolute path, got "unix://run/a.sock" (unix:/run/a.sock or unix:./run/a.sock)',
    'unix:a?mode=999': 'expected ?mode= with an octal file mode, got "?mode=999" (?mode=0660)',
    'unix:a?user=x': 'expected ?mode= with an octal file mode, got "?user=x" (?mode=0660)',
  };
  for (const [address, problem] of Object.entries(cases)) {
    assert.deepEqual(problemsOf(`${pools}\nlisten: ['${address}']`), [`2: listen[0]: ${problem}`]);
  }
  const long = `/run/${'x'.repeat(103)}`;
  assert.deepEqual(problemsOf(`${pools}\nlisten: ['unix:${long}']`), [
    `2: listen[0]: the path of a socket has at most 107 bytes, ${long} has 108 (put it in a folder with a shorter name, such as /run/rocksy)`,
  ]);
  assert.equal(load(`${pools}\nlisten: [unix:///run/a.sock]`).listen[0]?.name, 'unix:/run/a.sock');
});

test('two tokens may share neither name nor text, and none is the digest of nothing', () => {
  const empty = 'E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855';
  const yaml = `${pools}
auth:
  tokens:
    - { name: a, role: admin, sha256: ${'a'.repeat(64)} }
    - { name: a, role: viewer, sha256: ${'b'.repeat(64)} }
    - { name: b, role: viewer, sha256: ${'A'.repeat(64)} }
    - { name: c, role: viewer, sha256: ${empty} }`;
  assert.deepEqual(problemsOf(yaml), [
    '5: auth.tokens[1].name: a is already the name of auth.tokens[0]',
    '6: auth.tokens[2].sha256: is the same token as auth.tokens[0]',
    '7: auth.tokens[3].sha256: is the SHA-256 of no text at all (printf %s "$token" | sha256sum)',
  ]);
});

test('default_pool is needed among several pools, and must be one of them', () => {
  const two = 'state: .\npools:\n  web: { runtime: command }\n  mail: { runtime: command }';
  assert.deepEqual(problemsOf(two), ['2: default_pool: missing: which of web, mail? (default_pool: web)']);
  assert.deepEqual(problemsOf(`${two}\ndefault_pool: wbe`), [
    '5: default_pool: there is no pool wbe (did you mean web?)',
  ]);
  assert.deepEqual(problemsOf(`${two}\ndefault_pool: batch`), [
    '5: default_pool: there is no pool batch (there is web, mail)',
  ]);
});

test('a php pool needs a bootstrap file that can be read', () => {
  const withBootstrap = (line: string) => problemsOf(`pools:\n  web:\n    runtime: php\n${line}`);
  assert.deepEqual(withBootstrap('    prefork: 1'), [
    '2: pools.web.bootstrap: missing: expected the PHP file that loads the application (bootstrap: ./bootstrap.php)',
  ]);
  assert.deepEqual(withBootstrap('    bootstrap: ./boot.php'), [
    '4: pools.web.bootstrap: DIR/boot.php is not there',
  ]);
  assert.deepEqual(withBootstrap('    bootstrap: folder'), [
    '4: pools.web.bootstrap: DIR/folder is not a file',
  ]);
  assert.deepEqual(withBootstrap('    bootstrap: bootstrap.php'), []);
});

test('a python pool needs a bootstrap, or a folder of jobs', () => {
  const withLine = (line: string) => problemsOf(`pools:\n  web:\n    runtime: python\n    ${line}`);
  assert.deepEqual(withLine('prefork: 1'), [
    '2: pools.web.bootstrap: missing: expected the file that loads the application, or `jobs`, the folder of its job classes (bootstrap: ./bootstrap.py)',
  ]);
  assert.deepEqual(withLine('bootstrap: bootstrap.py'), []);
  assert.deepEqual(withLine('jobs: folder'), []);
  assert.deepEqual(withLine('jobs: nowhere'), ['4: pools.web.jobs: DIR/nowhere is not there']);
  assert.deepEqual(withLine('jobs: bootstrap.py'), ['4: pools.web.jobs: DIR/bootstrap.py is not a folder']);
});

test('a php pool has no folder of jobs', () => {
  const yaml = 'pools:\n  web:\n    runtime: php\n    bootstrap: bootstrap.php\n    jobs: folder';
  assert.deepEqual(problemsOf(yaml), [
    '5: pools.web.jobs: a php pool finds its classes by the autoloader of its bootstrap (take it out)',
  ]);
});

test('an interpreter must be there and executable', () => {
  const withInterpreter = (name: string) =>
    problemsOf(`pools:\n  web:\n    runtime: php\n    bootstrap: bootstrap.php\n    interpreter: ${name}`);
  assert.deepEqual(withInterpreter('php8.9'), [
    '5: pools.web.interpreter: no program php8.9 in PATH, which is DIR/bin (on Debian: apt-get install php-cli, or name the program by its path)',
  ]);
  assert.deepEqual(withInterpreter('./bin/none'), ['5: pools.web.interpreter: DIR/bin/none is not there']);
  assert.deepEqual(withInterpreter('./bin/text'), [
    '5: pools.web.interpreter: DIR/bin/text is not executable',
  ]);
  assert.deepEqual(withInterpreter('./bin/php'), []);
  const elsewhere = { ...asAda, path: '' };
  assert.match(
    problemsOf('pools: { web: { runtime: php, bootstrap: bootstrap.php } }', elsewhere).join(),
    /^1: pools\.web\.interpreter: no program php in PATH/,
  );
  assert.match(
    problemsOf('pools: { web: { runtime: python, bootstrap: bootstrap.py } }', elsewhere).join(),
    /^1: pools\.web\.interpreter: no program python3 in PATH.*apt-get install python3,/,
  );
});

test('a command pool has nothing that belongs to an interpreter', () => {
  const yaml = `pools:
  os:
    runtime: command
    bootstrap: bootstrap.php
    prefork: 0
    interpreter: php
    args: []`;
  const why =
    'a command pool has none: each of its runs is a program of its own (take it out, or say `runtime: php`)';
  assert.deepEqual(problemsOf(yaml), [
    `4: pools.os.bootstrap: ${why}`,
    `5: pools.os.prefork: ${why}`,
    `6: pools.os.interpreter: ${why}`,
    `7: pools.os.args: ${why}`,
  ]);
});

test('a node pool has a bootstrap, a folder of jobs, or both; others have no choice between forks and starts', () => {
  const pool = (text: string): string[] => problemsOf(`pools:\n  js: { runtime: node, ${text} }`);
  assert.deepEqual(pool('prefork: 1'), [
    '2: pools.js.bootstrap: missing: expected the file that loads the application, or `jobs`, the folder of its job classes (bootstrap: ./bootstrap.ts)',
  ]);
  assert.match(pool('jobs: ./nowhere')[0] ?? '', /pools\.js\.jobs: .*nowhere is not there$/);
  assert.match(pool('jobs: ./checks.test.ts')[0] ?? '', /pools\.js\.jobs: .* is not (there|a folder)$/);
  assert.match(
    pool('jobs: /, interpreter: node99')[0] ?? '',
    /no program node99 in PATH.*take it out, for the Node that Rocksy brings, or name the program by its path/,
  );
  assert.deepEqual(pool('jobs: /, fork: sometimes'), [
    '2: pools.js.fork: expected true, false or unproven, got "sometimes"',
  ]);
  for (const fork of ['true', 'false', 'unproven']) assert.deepEqual(pool(`jobs: /, fork: ${fork}`), []);
  assert.deepEqual(problemsOf('pools:\n  os: { runtime: command, fork: false }'), [
    '2: pools.os.fork: only node pools have a choice (take it out)',
  ]);
});

test('user and group must exist', () => {
  const yaml = 'pools:\n  os:\n    runtime: command\n    user: wwwdata\n    group: www-dta';
  const problems = [
    '4: pools.os.user: no user wwwdata in /etc/passwd (did you mean www-data?)',
    '5: pools.os.group: no group www-dta in /etc/group (did you mean www-data?)',
  ];
  assert.deepEqual(problemsOf(yaml, asRoot), problems);
  assert.deepEqual(problemsOf(yaml, asAda), problems);
});

test('under root every pool says whose its scripts are', () => {
  assert.deepEqual(problemsOf('pools:\n  os:\n    runtime: command', asRoot), [
    '2: pools.os.user: missing: rocksyd runs as root, its scripts need a user of their own (say `user: www-data`, or `user: root` if you mean it)',
  ]);
});

test('only root may be somebody else, or more urgent', () => {
  const yaml = 'pools:\n  os:\n    runtime: command\n    user: www-data\n    group: www-data\n    nice: -1';
  assert.deepEqual(problemsOf(yaml, asRoot), []);
  assert.deepEqual(problemsOf(yaml, asAda), [
    '4: pools.os.user: only root can run scripts as www-data; rocksyd runs as ada (leave it out, or start rocksyd as root)',
    '5: pools.os.group: only root can run scripts as group www-data (leave it out, or start rocksyd as root)',
    '6: pools.os.nice: only root can give a nice value below 0, got -1',
  ]);
});

test('whatever the text, it is a configuration or a DocumentError with a line', () => {
  const words = `pools: {os: {runtime: command,\n  - & * a <<: *a [ ] } ' " | > ? ! % @ : ~ __proto__: # 1 1e9 -.inf
    listen auth none tokens state mask limits log retention rlimits env 10s 4KiB unix:x tcp://[ constructor`;
  const token = fc.constantFrom(...words.split(' '), '\n', '\n  ', '\t', pools);
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(token, { maxLength: 30 }).map((tokens) => tokens.join(' ')),
    fc.array(token, { maxLength: 8 }).map((tokens) => `${pools}\n${tokens.join(' ')}`),
  );
  fc.assert(
    fc.property(text, (yaml) => {
      try {
        load(yaml);
      } catch (error) {
        assert.ok(error instanceof DocumentError, String(error));
        assert.ok(error.problems.length > 0);
        for (const { line, message } of error.problems) assert.ok(line >= 0 && message !== '');
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a cloud needs a URL that keeps secrets, and pools that are there', () => {
  const cases = {
    'token_file: t': '2: join.url: expected either url or urls (url: https://rocksy.example.org)',
    'token_file: t, url: "http://[::1]", urls: [https://a]':
      '2: join.url: expected either url or urls (url: https://rocksy.example.org)',
    'token_file: t, url: http://10.0.0.1:1':
      '2: join.url: http://10.0.0.1:1 is on another machine, and there is no TLS: secrets travel in clear (say https://, or `insecure: true` if the network is safe)',
    'token_file: t, urls: [https://a, wss://a]':
      '2: join.urls[1]: expected https://HOST[:PORT], and nothing but a path behind it (https://rocksy.example.org)',
    'token_file: t, url: "https://me:you@a"':
      '2: join.url: expected https://HOST[:PORT], and nothing but a path behind it (https://rocksy.example.org)',
    'token_file: t, url: https://a, pools: [os, so]':
      '2: join.pools[1]: there is no pool so (did you mean os?)',
    'token_file: t, url: https://a, name: "a b"':
      '2: join.name: "a b" is no name for a host (name: web-1, of 1 to 64 letters, digits, . _ -)',
    'token_file: t, url: https://a, ca_file: none.pem': '2: join.ca_file: DIR/none.pem is not there',
    'url: https://a': '2: join.token_file: missing: expected the path of a file',
  };
  for (const [join, problem] of Object.entries(cases))
    assert.deepEqual(problemsOf(`${pools}\njoin: { ${join} }`), [problem], join);
  assert.deepEqual(problemsOf(`${pools}\ninsecure: true\njoin: { token_file: t, url: http://10.0.0.1 }`), []);
});

test('a host that joins a cloud has defaults by the machine it is on', () => {
  for (const url of ['http://127.0.0.1:31380/', 'http://localhost:31380', 'http://[::1]/path/'])
    assert.deepEqual(load(`${pools}\njoin: { token_file: ./t, url: "${url}" }`).join, {
      urls: [url.replace(/\/$/, '')],
      tokenFile: `${dir}/t`,
      name: 'web-1.example.org',
      labels: {},
      capacity: 32,
      pools: ['os'],
      caFile: null,
    });
});
