import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Daemon, RUNNING, runView } from './fixtures/daemon.ts';
import { rocksy, start } from './fixtures/rocksy.ts';
import { createProgram } from './program.ts';

const refused = (code: string, message: string, more: object = {}) => ({ ok: false, code, message, ...more });
const nowhere = { address: 'unix:/nonexistent/rocksyd.sock' };

test('--version', async () => {
  assert.deepEqual(await rocksy(nowhere, '--version'), { code: 0, out: 'rocksy 0.1.0\n', err: '' });
});

test('every command has help with examples', async () => {
  const { code, out } = await rocksy(nowhere, 'ps', '--help');
  assert.equal(code, 0);
  assert.match(out, /^Usage: rocksy ps /);
  const visible = createProgram().commands.filter((command) => !command.name().startsWith('__'));
  assert.equal(visible.length, 34);
  for (const command of visible) {
    const help: string[] = [];
    command.configureOutput({ writeOut: (text) => void help.push(text) }).outputHelp();
    assert.match(
      help.join(''),
      new RegExp(`^Usage: rocksy ${command.name()}[^]*--json[^]*Examples:\n  \\$ `),
    );
  }
});

test('wrong usage ends with 2 and says where to look', async () => {
  for (const args of [
    ['frobnicate'],
    ['ps', '--frobnicate'],
    ['run'],
    ['run', 'C', '--timeout', 'soon'],
    ['--socket', 'x', 'ps'],
  ]) {
    const { code, out, err } = await rocksy(nowhere, ...args);
    assert.equal(code, 2, args.join(' '));
    assert.equal(out, '');
    assert.match(err, /^rocksy: .*\n+See `rocksy.* --help`/);
  }
});

test('no daemon: says which socket was tried and how to start one, and ends with 69', async () => {
  const { code, err } = await rocksy(nowhere, 'ps');
  assert.equal(code, 69);
  assert.match(
    err,
    /^rocksy: No daemon answers at unix:\/nonexistent\/rocksyd.sock \(there is no such socket\)\nStart one with `rocksyd/,
  );
  const json = await rocksy(nowhere, 'ps', '--json');
  assert.equal(json.code, 69);
  assert.equal(JSON.parse(json.err).error.code, 'unreachable');
});

test('run waits and ends with the code of the run; only stderr tells', async () => {
  await using daemon = await Daemon.start({
    run: ({ key }) => [{ ok: true, known: false, run: runView(key, RUNNING) }],
    wait: ({ key }) => [
      {
        ok: true,
        run: runView(key, { outcome: 'failed', code: 3, retcode: 3, error: 'no \u001b[31mtable' }),
      },
    ],
  });
  const { code, out, err } = await rocksy(daemon, 'run', '--key', 'k', 'App\\Hello');
  assert.deepEqual([code, out, err], [3, '', 'k failed (3) after 1.2s: no \\x1b[31mtable\n']);
});

test('each argument is one element of params: JSON digit by digit, else text', async () => {
  await using daemon = await Daemon.start({
    run: ({ key }) => [{ ok: true, known: false, run: runView(key) }],
  });
  await rocksy(
    daemon,
    'run',
    '-d',
    'C',
    '{"a":[1.50]}',
    '9007199254740993',
    '-5',
    'plain',
    '"quoted"',
    '2026-01-31',
    'null',
  );
  const { params } = daemon.only('run') as { params?: unknown };
  assert.equal(
    JSON.stringify(params),
    '[{"a":[1.50]},9007199254740993,-5,"plain","quoted","2026-01-31",null]',
  );
});

test('in a command pool the words are the command line', async () => {
  await using daemon = await Daemon.start({
    run: ({ key }) => [{ ok: true, known: false, run: runView(key) }],
  });
  const { code, out } = await rocksy(
    daemon,
    'run',
    '-d',
    '--key',
    'k',
    '--pool',
    'os',
    '--',
    'ls',
    '-l',
    '--json',
    '1',
  );
  assert.deepEqual([code, out], [0, 'k\n']);
  const { argv } = daemon.only('run') as { argv?: unknown };
  assert.deepEqual(argv, ['ls', '-l', '--json', '1']);
});

test('options of run reach the daemon', async () => {
  await using daemon = await Daemon.start({
    run: ({ key }) => [{ ok: true, known: true, run: runView(key) }],
  });
  const args = [
    'run',
    '--pool=web',
    '-k',
    'k',
    '-t',
    '1m30s',
    '--kill-after',
    '0s',
    '-e',
    'A=1',
    '-e',
    'B',
    '-C',
    '/srv',
    '-i',
    'C',
  ];
  const { err } = await start(args, { env: { ROCKSY_SOCKET: daemon.address, B: 'b=2' }, input: 'grüße' })
    .ended;
  assert.match(err, /^k was there before: nothing was started\.\n/);
  const {
    name: _name,
    byHash: _byHash,
    ...request
  } = daemon.only('run') as unknown as Record<string, unknown>;
  const { id: _id, ...fields } = request;
  assert.deepEqual(fields, {
    key: 'k',
    class: 'C',
    params: [],
    pool: 'web',
    cwd: '/srv',
    env: { A: '1', B: 'b=2' },
    timeout_ms: 90_000,
    kill_after_ms: 0,
    stdin: 'grüße',
  });
});

const LOG = [
  { event: 'data', offset: 0, data: 'one\n', next_offset: 4 },
  { event: 'data', offset: 4, data_base64: '/w==', next_offset: 5 },
  { ok: true, offset: 5, data: '', next_offset: 5, size: 5, end: true },
];

test('run --follow prints the log, and as JSON a line for each piece and one for the end', async () => {
  await using daemon = await Daemon.start({
    run: ({ key }) => [{ ok: true, known: false, run: runView(key, RUNNING) }],
    logs: () => LOG,
    wait: ({ key }) => [{ ok: true, run: runView(key) }],
  });
  const { code, out, err } = await rocksy(daemon, 'run', '-f', '-k', 'k', 'C');
  assert.deepEqual([code, out, err], [0, 'one\n\ufffd', 'k succeeded after 1.2s\n']);
  const json = await rocksy(daemon, 'run', '-f', '-k', 'k', 'C', '--json');
  const lines = json.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(lines.slice(0, 2), [
    { event: 'data', data: 'one\n' },
    { event: 'data', data_base64: '/w==' },
  ]);
  assert.equal(lines[2].event, 'exited');
  assert.equal(json.err, '');
});

test('the first Ctrl-C cancels the run, the second leaves it', async () => {
  await using daemon = await Daemon.start({
    run: ({ key }) => [{ ok: true, known: false, run: runView(key, RUNNING) }],
    wait: () => ['nothing'],
    cancel: ({ key }) => [{ ok: true, run: runView(key, RUNNING) }],
  });
  const { child, ended } = start(['run', '-k', 'k', 'C'], { env: { ROCKSY_SOCKET: daemon.address } });
  await daemon.until('wait');
  child.kill('SIGINT');
  await daemon.until('cancel');
  child.kill('SIGINT');
  const { code, err } = await ended;
  assert.equal(code, 130);
  assert.equal(err, 'Cancelling k. Ctrl-C again leaves it.\nk goes on: rocksy logs -f k\n');
});

test('ps is a table of what is not over; -a asks for everything, a page at a time', async () => {
  const pages = [
    {
      ok: true,
      runs: [runView('a', RUNNING), runView('b', { outcome: 'killed', signal: 'SIGKILL', retcode: 137 })],
      next: 'n',
    },
    { ok: true, runs: [runView('c', { class: null, argv: ['echo', "it's"] })], next: null },
  ];
  await using daemon = await Daemon.start({
    list: ({ before }) => [before === undefined ? pages[0] : pages[1]] as object[],
  });
  const { out } = await rocksy(daemon, 'ps');
  const [head, a, b, c] = out.split('\n').map((line) => line.split(/ {3,}/));
  assert.deepEqual(head, ['KEY', 'POOL', 'RUNS', 'STATUS', 'CREATED', 'TOOK']);
  assert.deepEqual(a?.slice(0, 4), ['a', 'web', 'App\\Hello', 'running']);
  assert.deepEqual(b?.slice(3, 4), ['killed (SIGKILL)']);
  assert.deepEqual(c?.slice(2, 3), ["echo 'it'\\''s'"]);
  assert.deepEqual(
    daemon.requests.filter(({ name }) => name === 'list').map((list) => 'state' in list && list.state),
    ['active', 'active'],
  );
  const json = await rocksy(daemon, 'ps', '-a', '-n', '2', '--json');
  assert.deepEqual(
    JSON.parse(json.out).map((run: { key: string }) => run.key),
    ['a', 'b'],
  );
  assert.match(json.err, /more than these 2/);
});

test('status shows what is known', async () => {
  await using daemon = await Daemon.start({
    status: ({ key }) => [{ ok: true, run: runView(key, { result: { sent: 12 } }) }],
  });
  const { out } = await rocksy(daemon, 'status', 'k');
  assert.match(
    out,
    /^key +k\npool +web, generation 7\nclass +App\\Hello\nstatus +succeeded\nexit code +0\nresult +{"sent":12}\n/,
  );
  assert.equal(JSON.parse((await rocksy(daemon, 'status', 'k', '--json')).out).key, 'k');
});

/** Answers `logs` from a text, `piece` bytes at a time. */
function logsOf(log: string, piece: number) {
  return (request: { offset?: number; length?: number; follow?: boolean }) => {
    const offset =
      (request.offset ?? 0) < 0 ? Math.max(0, log.length + (request.offset ?? 0)) : (request.offset ?? 0);
    const data = log.slice(
      offset,
      request.follow ? log.length : offset + Math.min(piece, request.length ?? piece),
    );
    const next_offset = offset + data.length;
    const end = next_offset === log.length;
    if (!request.follow) return [{ ok: true, offset, data, next_offset, size: log.length, end }];
    return [
      { event: 'data', offset, data, next_offset },
      { ok: true, offset: next_offset, data: '', next_offset, size: log.length, end },
    ];
  };
}

test('logs prints everything, the last lines, and what follows them', async () => {
  const log = Array.from({ length: 40_000 }, (_, i) => `line ${i}\n`).join('');
  await using daemon = await Daemon.start({ logs: logsOf(log, 50_000) });
  assert.equal((await rocksy(daemon, 'logs', 'k')).out, log);
  assert.equal((await rocksy(daemon, 'logs', '-n', '2', 'k')).out, 'line 39998\nline 39999\n');
  assert.equal(
    (await rocksy(daemon, 'logs', '--tail', '20000', 'k')).out,
    log.slice(log.indexOf('line 20000\n')),
  );
  assert.equal((await rocksy(daemon, 'logs', '-f', '--tail', '1', 'k')).out, 'line 39999\n');
  assert.equal((await rocksy(daemon, 'logs', '-f', 'k')).out, log);
});

test('logs --grep asks for all matches, and prints them as they come', async () => {
  const pages: Record<number, object> = {
    0: { matches: [{ offset: 3, line: 'an ERROR' }], next_offset: 50, size: 90, end: false },
    50: { matches: [], next_offset: 70, size: 90, end: false },
    70: { matches: [{ offset: 80, line: 'error' }], next_offset: 90, size: 90, end: true },
  };
  await using daemon = await Daemon.start({
    search: ({ offset }) => [{ ok: true, ...pages[offset ?? 0] }],
  });
  assert.deepEqual(await rocksy(daemon, 'logs', '-i', '--grep', 'Error', 'k'), {
    code: 0,
    out: 'an ERROR\nerror\n',
    err: '',
  });
  for (const request of daemon.requests.filter(({ name }) => name === 'search'))
    assert.ok(request.name === 'search' && request.text === 'Error' && request.ignore_case === true);
  assert.equal(
    (await rocksy(daemon, 'logs', '--json', '--grep', 'Error', 'k')).out,
    '{"event":"match","offset":3,"line":"an ERROR"}\n{"event":"match","offset":80,"line":"error"}\n',
  );
  for (const wrong of [['-i'], ['--grep', ''], ['--grep', 'a\nb'], ['--grep', 'a', '-f']])
    assert.equal((await rocksy(daemon, 'logs', 'k', ...wrong)).code, 2, wrong.join(' '));
});

test('a reader that has seen enough ends rocksy quietly', async () => {
  await using daemon = await Daemon.start({ logs: logsOf('x'.repeat(5_000_000), 200_000) });
  const { child, ended } = start(['logs', 'k'], { env: { ROCKSY_SOCKET: daemon.address } });
  if (child.stdout === null) throw new Error('no stdout');
  await once(child.stdout, 'readable');
  child.stdout.destroy();
  // text() of a destroyed stream rejects; what matters is how the process ends.
  const [[code]] = await Promise.all([once(child, 'exit'), Promise.allSettled([ended])]);
  assert.equal(code, 0);
});

test('kill cancels or signals each run, goes on where one is refused, and ends with 1', async () => {
  await using daemon = await Daemon.start({
    cancel: ({ key }) => [
      key === 'gone' ? refused('not_found', "no run has the key 'gone'") : { ok: true, run: runView(key) },
    ],
  });
  const { code, out, err } = await rocksy(daemon, 'kill', 'gone', 'b');
  assert.deepEqual([code, out], [1, 'b\n']);
  assert.match(err, /^rocksy: no run has the key 'gone'\n/);
  await rocksy(daemon, 'kill', '-s', 'USR1', 'c');
  assert.deepEqual((daemon.only('signal') as { signal?: unknown }).signal, 'USR1');
  const json = await rocksy(daemon, 'free', 'a', '--json');
  assert.deepEqual(JSON.parse(json.out), [{ key: 'a', ok: true }]);
});

test('wait ends with the first code that is not 0; out of time it ends with 75', async () => {
  await using daemon = await Daemon.start({
    wait: ({ key }) =>
      key === 'slow'
        ? [refused('wait_timeout', 'slow is still running')]
        : [{ ok: true, run: runView(key, key === 'b' ? { outcome: 'failed', code: 4, retcode: 4 } : {}) }],
  });
  const { code, out } = await rocksy(daemon, 'wait', 'a', 'b');
  assert.deepEqual([code, out], [4, 'a succeeded after 1.2s\nb failed (4) after 1.2s\n']);
  assert.equal((await rocksy(daemon, 'wait', '--timeout', '5s', 'a', 'slow')).code, 75);
});

test('pools, drain and reload; a failed bootstrap shows what it printed', async () => {
  await using daemon = await Daemon.start({
    reload: ({ pool }) =>
      pool === 'web'
        ? [
            refused('bootstrap_failed', 'web: the bootstrap ended with 255', {
              output: 'PHP Parse error: line 3\n',
            }),
          ]
        : [{ ok: true, pools: [{ name: 'web', generation: 8 }] }],
  });
  assert.match(
    (await rocksy(daemon, 'pools')).out,
    /^POOL {3}RUNTIME .*\nweb +php +serving +7 +2\/32 +0\nos +command +draining/,
  );
  assert.deepEqual(await rocksy(daemon, 'reload'), { code: 0, out: 'web: generation 8 serves\n', err: '' });
  assert.deepEqual(await rocksy(daemon, 'reload', 'web'), {
    code: 1,
    out: '',
    err: 'PHP Parse error: line 3\nrocksy: web: the bootstrap ended with 255\n',
  });
  assert.equal((await rocksy(daemon, 'drain', 'os', '--off')).out, 'os takes runs again\n');
  assert.equal((daemon.only('drain') as { on?: boolean }).on, false);
});

test('restart says how it went, or why nothing has changed', async () => {
  const takeover = { connections: 3, stall_ms: 4.5 };
  await using daemon = await Daemon.start({
    restart: ({ reload }) =>
      reload === true
        ? [{ ok: true, takeover, pools: [{ name: 'web', generation: 8 }] }]
        : [refused('takeover_refused', 'Nothing has changed: why', { output: 'SyntaxError: here\n' })],
  });
  assert.deepEqual(await rocksy(daemon, 'restart', '--reload'), {
    code: 0,
    out: 'restarted: 3 connections went over, nobody waited longer than 4.5 ms\nweb: generation 8 serves\n',
    err: '',
  });
  assert.deepEqual(await rocksy(daemon, 'restart'), {
    code: 1,
    out: '',
    err: 'SyntaxError: here\nrocksy: Nothing has changed: why\n',
  });
});

test('the token comes from a file and is printed nowhere', async () => {
  await using daemon = await Daemon.start({ hello: () => [refused('unauthorized', 'wrong token')] });
  const folder = mkdtempSync(join(tmpdir(), 'rocksy-token-'));
  try {
    writeFileSync(join(folder, 'token'), 'open sesame\n');
    const { code, out, err } = await rocksy(daemon, 'ps', '--token-file', join(folder, 'token'));
    assert.equal(code, 1);
    assert.equal((daemon.only('hello') as { token?: string }).token, 'open sesame');
    assert.doesNotMatch(out + err, /sesame/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('doctor looks at the machine and the daemon, each finding with a verdict', async () => {
  await using daemon = await Daemon.start();
  const { out } = await rocksy(daemon, 'doctor', '--json');
  const findings = JSON.parse(out) as { name: string; verdict: string; remedy?: string }[];
  for (const name of [
    'node',
    'setpriv',
    'prlimit',
    'perl',
    'kernel',
    'cgroup v2',
    'open files',
    'disk',
    'php',
    'rocksyd',
    'pool web',
  ]) {
    const finding = findings.find((one) => one.name === name);
    assert.ok(finding !== undefined, name);
    assert.ok(finding.verdict === 'ok' || finding.remedy !== undefined, `${name} says what to do`);
  }
});

test('doctor without PHP tools in PATH names the packages and ends with 1', async () => {
  const { code, out } = await start(['doctor'], {
    env: { PATH: '/nonexistent', ROCKSY_SOCKET: nowhere.address },
  }).ended;
  assert.equal(code, 1);
  assert.match(out, /missing {3}php: .*\n.*php-cli/);
  assert.match(out, /missing {3}setpriv: .*\n.*util-linux/);
  assert.match(out, /warn {6}rocksyd: No daemon answers[^\n]*\n.*rocksyd --config/);
});

test('doctor --fork of what can not be forked says why, and ends with 1', async () => {
  for (const [node, why] of [
    ['/nonexistent/node', /is no program/],
    ['/bin/false', /the zygote did not start/],
  ] as const) {
    const { code, out } = await rocksy(nowhere, 'doctor', '--node', node, '--json');
    assert.equal(code, 1);
    const [finding, ...others] = JSON.parse(out);
    assert.deepEqual(others, []);
    assert.partialDeepStrictEqual(finding, { verdict: 'missing', name: `fork of ${node}` });
    assert.match(finding.detail, why);
    assert.notEqual(finding.remedy, undefined);
  }
});

test('completion asks the daemon for names, and shows none when it does not answer', async () => {
  await using daemon = await Daemon.start();
  assert.equal((await rocksy(daemon, '__complete', '--', 'run', '--pool', '')).out, 'web\nos\n');
  assert.deepEqual(await rocksy(nowhere, '__complete', '--', 'logs', ''), { code: 0, out: '', err: '' });
});
