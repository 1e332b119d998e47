import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Client, RunKey, RunRequest } from '../../src/client/index.ts';
import { fileOfKey } from '../../src/wire/index.ts';
import { isAlive, processesOf, TestDaemon, until } from '../support/daemon.ts';
import { Gate } from '../support/gate.ts';
import { JOBS, php, sh } from '../support/runs.ts';

let daemon: TestDaemon;
let client: Client;

before(async () => {
  daemon = await TestDaemon.start({
    more: 'default_pool: os',
    pools: [
      '  os: { runtime: command, allow_env: [LANG, APP_*], env: { FROM_POOL: "of the pool" }, {user} }',
      `  web: { runtime: php, bootstrap: ${JOBS}, prefork: 2, allow_env: [APP_*], env: { FROM_POOL: "of the pool" }, {user} }`,
      '  narrow: { runtime: command, max_running: 1, {user} }',
      '  brief: { runtime: command, timeout: 100ms, kill_after: 0s, {user} }',
    ].join('\n'),
  });
  client = await daemon.connect();
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
});

/** Runs it, and resolves with how it ended. */
async function outcomeOf(request: RunRequest & { readonly key: string }) {
  await client.run(request);
  return await client.wait(request.key, { timeout_ms: 60_000 });
}

async function logOf(key: string): Promise<string> {
  return (await client.logs(key)).data.toString();
}

function keyed(request: RunRequest): RunRequest & { readonly key: string } {
  const { key } = request;
  assert.ok(key !== undefined);
  return { ...request, key };
}

const STUBBORN_SH = 'trap "" TERM; echo up; while :; do sleep 0.05; done';
const STUBBORN_PHP =
  'pcntl_async_signals(true); pcntl_signal(SIGTERM, SIG_IGN); echo "up\\n"; for (;;) usleep(50000);';
const GENTLE_PHP =
  'pcntl_async_signals(true); pcntl_signal(SIGTERM, fn () => exit(9)); for (;;) usleep(50000);';

describe('a timeout', { concurrency: true }, () => {
  test('ends a run by SIGTERM, and its outcome says so', async () => {
    const run = await outcomeOf(keyed(sh('timeout-term', 'exec sleep 1000', { timeout_ms: 50 })));
    assert.equal(run.outcome, 'timed_out');
    assert.equal(run.retcode, 124);
    assert.equal(run.signal, 'SIGTERM');
  });

  test('lets a run end in its own way, which is no success', async () => {
    const run = await outcomeOf(keyed(php('timeout-own', GENTLE_PHP, { timeout_ms: 100 })));
    assert.deepEqual([run.outcome, run.code, run.retcode], ['timed_out', 9, 124]);
  });

  for (const [runtime, request] of [
    ['command', sh('timeout-kill-sh', STUBBORN_SH)],
    ['php', php('timeout-kill-php', STUBBORN_PHP)],
  ] as const) {
    test(`is followed by SIGKILL when a ${runtime} run does not mind SIGTERM`, async () => {
      const run = await outcomeOf(keyed({ ...request, timeout_ms: 300, kill_after_ms: 200 }));
      assert.deepEqual([run.outcome, run.signal, run.retcode], ['timed_out', 'SIGKILL', 124]);
      const tookMs = (run.ended_ms ?? 0) - (run.started_ms ?? 0);
      assert.ok(tookMs >= 450 && tookMs < 5_000, `${tookMs} ms`);
      assert.equal(await logOf(run.key), 'up\n');
    });
  }

  test('can be that of the pool, and a request may ask for another one', async () => {
    const pools = await Promise.all([
      outcomeOf(keyed(sh('timeout-pool', STUBBORN_SH, { pool: 'brief' }))),
      outcomeOf(keyed(sh('timeout-own-longer', 'sleep 0.3', { pool: 'brief', timeout_ms: 60_000 }))),
    ]);
    assert.deepEqual(
      pools.map(({ outcome }) => outcome),
      ['timed_out', 'succeeded'],
    );
  });
});

describe('cancel', { concurrency: true }, () => {
  test('ends a run in progress, and its outcome says who did', async () => {
    await client.run(sh('cancel-running', 'exec sleep 1000'));
    await client.cancel('cancel-running');
    const run = await client.wait('cancel-running');
    assert.deepEqual([run.outcome, run.signal, run.retcode], ['cancelled', 'SIGTERM', 143]);
    await assert.rejects(client.cancel('cancel-running'), { code: 'not_running' });
  });

  test('kills a run that does not mind SIGTERM', async () => {
    await client.run(php('cancel-stubborn', STUBBORN_PHP));
    await until('it ignores SIGTERM', async () => (await logOf('cancel-stubborn')) === 'up\n');
    await client.cancel('cancel-stubborn', { kill_after_ms: 50 });
    const run = await client.wait('cancel-stubborn');
    assert.deepEqual([run.outcome, run.signal, run.retcode], ['cancelled', 'SIGKILL', 137]);
  });

  test('takes a run that waits out of its queue, and it never begins', async () => {
    using gate = new Gate(daemon, 'cancel-queued');
    await client.run(sh('cancel-first', `read _ < ${gate.path}; exit 0`, { pool: 'narrow' }));
    const { run: waiting } = await client.run(sh('cancel-queued', 'echo ran', { pool: 'narrow' }));
    assert.equal(waiting.state, 'queued');
    await client.cancel('cancel-queued');
    const run = await client.wait('cancel-queued');
    assert.deepEqual([run.outcome, run.code, run.signal, run.started_ms], ['cancelled', null, null, null]);
    gate.open();
    assert.equal((await client.wait('cancel-first')).outcome, 'succeeded');
    assert.equal(await logOf('cancel-queued'), '');
  });

  test('holds for a run that is just being started', async () => {
    const runs = Array.from({ length: 40 }, (_, n) => `cancel-starting-${n}`);
    // Both requests leave in one write: the zygote has hardly heard of the run.
    const asked = runs.map((key, n) => {
      const started = client.run(n % 2 === 0 ? sh(key, 'exec sleep 1000') : php(key, 'sleep(1000);'));
      return Promise.all([started, cancelAsSoonAsKnown(key)]);
    });
    await Promise.all(asked);
    for (const key of runs) assert.equal((await client.wait(key)).outcome, 'cancelled', key);
  });

  async function cancelAsSoonAsKnown(key: string): Promise<void> {
    await until(`${key} is known`, () => client.cancel(key).then(() => true, notKnownYet));
  }

  function notKnownYet(error: { code?: string }): false {
    assert.equal(error.code, 'not_found');
    return false;
  }
});

describe('what a run leaves behind', { concurrency: true }, () => {
  // A child, an orphan in a session of its own, and an orphan's orphan in another; none minds SIGTERM. Each notes its pid.
  const LINGER_SH = 'trap "" TERM HUP; echo $$ >> "$APP_PIDS"; while :; do sleep 0.05; done';
  const ESCAPES_SH = `
    trap '' TERM
    linger='${LINGER_SH}'
    sh -c "$linger" &
    setsid sh -c "$linger" &
    (setsid sh -c '(setsid sh -c "$0" &) &' "$linger" &)
    until [ "$(wc -l < "$APP_PIDS")" = 3 ]; do sleep 0.01; done
    echo escaped
    read _ < "$APP_GATE"`;
  const ESCAPES_PHP = `
    pcntl_signal(SIGTERM, SIG_IGN);
    $pids = getenv('APP_PIDS');
    for ($i = 0; $i < 3; $i++) {
      if (pcntl_fork() === 0) {
        if ($i > 0) posix_setsid();
        if ($i > 1 && pcntl_fork() > 0) exit(0);
        file_put_contents($pids, getmypid() . "\\n", FILE_APPEND);
        for (;;) usleep(50000);
      }
    }
    while (count(file($pids)) < 3) usleep(10000);
    echo "escaped\\n";
    file_get_contents(getenv('APP_GATE'));`;
  const CASES = [
    ['command', (key: string) => sh(key, `${ESCAPES_SH}; exit 3`)],
    ['php', (key: string) => php(key, `${ESCAPES_PHP} return 3;`)],
  ] as const;

  interface Escape extends Disposable {
    readonly pids: readonly number[];
    readonly gate: Gate;
  }

  /** Begins the run, and waits until it has left three processes. */
  async function beginEscape(key: string, request: RunRequest): Promise<Escape> {
    const gate = new Gate(daemon, `${key}-gate`);
    const file = path.join(daemon.scratch, `${key}-pids`);
    fs.writeFileSync(file, '');
    fs.chmodSync(file, 0o666);
    await client.run({ ...request, env: { APP_PIDS: file, APP_GATE: gate.path } });
    await until('it has left processes', async () => (await logOf(key)) === 'escaped\n');
    const pids = fs.readFileSync(file, 'utf8').trim().split('\n').map(Number);
    assert.equal(pids.filter(isAlive).length, 3);
    return { pids, gate, [Symbol.dispose]: () => gate[Symbol.dispose]() };
  }

  for (const [runtime, request] of CASES) {
    test(`is gone when a ${runtime} run that forked, forked twice and called setsid ends`, async () => {
      const key = `leaves-${runtime}`;
      using escaped = await beginEscape(key, request(key));
      escaped.gate.open();
      assert.equal((await client.wait(key)).code, 3);
      assert.deepEqual(escaped.pids.filter(isAlive), []);
    });

    test(`is gone within a second of kill_after when a ${runtime} run ignores SIGTERM`, async () => {
      const key = `escapes-${runtime}`;
      using escaped = await beginEscape(key, request(key));
      const cancelled = performance.now();
      await client.cancel(key, { kill_after_ms: 200 });
      const run = await client.wait(key);
      const tookMs = performance.now() - cancelled;
      assert.deepEqual([run.outcome, run.signal], ['cancelled', 'SIGKILL']);
      assert.deepEqual(escaped.pids.filter(isAlive), []);
      assert.ok(tookMs < 1_200, `it took ${tookMs.toFixed()} ms`);
    });
  }

  test('is gone also when it forks on and on, each process in the place of the one before', async () => {
    // Some multiply; the others are always gone when one looks, and another one is there.
    const bomb = `
      export HOP='sleep 0.01; setsid sh -c "$HOP" &'
      i=0; while [ $i -lt 10 ]; do
        setsid sh -c 'while :; do sleep 100 & sleep 0.02; done' &
        setsid sh -c "$HOP" &
        i=$((i+1))
      done
      read _ < "$APP_GATE"; exit 6`;
    using gate = new Gate(daemon, 'bomb');
    await client.run(sh('bomb', bomb, { env: { APP_GATE: gate.path } }));
    await until('there are many', () => processesOf(gate.path).length > 100);
    gate.open();
    assert.equal((await client.wait('bomb')).code, 6);
    assert.deepEqual(processesOf(gate.path), []);
  });
});

describe('a run gets', { concurrency: true }, () => {
  test('the folder that it asks for', async () => {
    fs.mkdirSync(path.join(daemon.folder, 'some where'));
    const cwd = path.join(daemon.folder, 'some where');
    assert.equal((await outcomeOf(keyed(sh('cwd-sh', 'pwd', { cwd })))).code, 0);
    assert.equal((await outcomeOf(keyed(php('cwd-php', 'echo getcwd(), "\\n";', { cwd })))).code, 0);
    assert.deepEqual([await logOf('cwd-sh'), await logOf('cwd-php')], [`${cwd}\n`, `${cwd}\n`]);
  });

  test('an error and no silence when that folder is not there', async () => {
    for (const request of [sh('cwd-none-sh', 'pwd'), php('cwd-none-php', 'return 0;')]) {
      const run = await outcomeOf(keyed({ ...request, cwd: '/nowhere/at/all' }));
      assert.equal(run.outcome, 'failed');
      assert.match(run.error ?? '', /\/nowhere\/at\/all: No such file or directory/);
    }
  });

  test('the variables of its pool, those that it may set, and none of the daemon', async () => {
    const env = { APP_COLOUR: 'blue; $x "y"' };
    await outcomeOf(
      keyed(sh('env-sh', 'echo "$FROM_POOL|$APP_COLOUR|$ROCKSY_KEY|$ROCKSY_POOL|$ROCKSY_ZYGOTE"', { env })),
    );
    const code =
      'echo implode("|", array_map("getenv", ["FROM_POOL", "APP_COLOUR", "ROCKSY_KEY", "ROCKSY_POOL", "ROCKSY_ZYGOTE"])), "\\n";';
    await outcomeOf(keyed(php('env-php', code, { env })));
    assert.equal(await logOf('env-sh'), 'of the pool|blue; $x "y"|env-sh|os|\n');
    assert.equal(await logOf('env-php'), 'of the pool|blue; $x "y"|env-php|web|\n');
  });

  test('no variable that its pool does not allow', async () => {
    for (const name of ['PATH', 'LD_PRELOAD', 'ROCKSY_KEY', 'APP']) {
      const refused = client.run(sh('env-refused', 'true', { env: { [name]: 'x' } }));
      await assert.rejects(refused, (error: Error & { code?: string }) => {
        assert.equal(error.code, 'invalid_request');
        assert.match(error.message, new RegExp(`pool os does not let a request set ${name}`));
        return true;
      });
    }
    await assert.rejects(client.status('env-refused'), { code: 'not_found' });
  });

  test('its standard input, or none', async () => {
    const stdin = `ä\n${'x'.repeat(300_000)}`;
    await outcomeOf(keyed(sh('stdin-sh', 'wc -c', { stdin })));
    await outcomeOf(keyed(php('stdin-php', 'echo strlen(stream_get_contents(STDIN)), "\\n";', { stdin })));
    await outcomeOf(keyed(sh('stdin-none', 'wc -c')));
    assert.deepEqual(await Promise.all(['stdin-sh', 'stdin-php', 'stdin-none'].map(logOf)), [
      '300003\n',
      '300003\n',
      '0\n',
    ]);
  });

  test('a log of the name that it asks for, which others may share', async () => {
    await outcomeOf(keyed(sh('log-1', 'echo one; echo oops >&2', { log: 'nightly' })));
    await outcomeOf(keyed(sh('log-2', 'echo two', { log: 'nightly' })));
    assert.equal(await logOf('log-1'), 'one\noops\ntwo\n');
    assert.equal(await logOf('log-2'), 'one\noops\ntwo\n');
    await assert.rejects(client.run(sh('log-3', 'true', { log: '../../evil' })), { code: 'invalid_request' });
  });
});

describe('of a run is told', { concurrency: true }, () => {
  test('what it cost', async () => {
    const busy = `$text = str_repeat('x', 40 << 20);
      do { md5($text[5]); $used = getrusage(); } while ($used['ru_utime.tv_sec'] * 1e6 + $used['ru_utime.tv_usec'] < 1e5);`;
    const run = await outcomeOf(keyed(php('cost-php', busy)));
    assert.ok((run.cpu_user_ms ?? 0) > 90, JSON.stringify(run));
    assert.ok((run.max_rss_bytes ?? 0) > 40 << 20, JSON.stringify(run));
    const waited = await outcomeOf(keyed(sh('cost-sh', 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done')));
    assert.ok((waited.cpu_user_ms ?? 0) > 10, JSON.stringify(waited));
    assert.ok((waited.max_rss_bytes ?? 0) > 0);
  });

  for (const [runtime, start] of [
    [
      'command',
      (gate: string) =>
        sh(
          'progress-sh',
          `echo 'progress 40 half way' >> "$ROCKSY_RUN_FILE"; read _ < ${gate}; echo 'progress 100 ' >> "$ROCKSY_RUN_FILE"`,
        ),
    ],
    [
      'php',
      (gate: string) =>
        php(
          'progress-php',
          `file_put_contents(getenv('ROCKSY_RUN_FILE'), "progress 40 half way\\n", FILE_APPEND); file_get_contents('${gate}'); file_put_contents($_SERVER['ROCKSY_RUN_FILE'], "progress 100 \\n", FILE_APPEND);`,
        ),
    ],
  ] as const) {
    test(`how far a ${runtime} run has come: at once to who asks, and as an event to who listens`, async () => {
      using gate = new Gate(daemon, `progress-${runtime}`);
      const request = keyed(start(gate.path));
      await using events = client.events({ key: request.key, events: ['progress'] });
      await events.subscribed();
      await client.run(request);
      const half = { percent: 40, text: 'half way' };
      const { value } = await events.next();
      assert.ok(value?.event === 'progress');
      assert.deepEqual(value.run.progress, half);
      assert.deepEqual((await client.status(request.key)).progress, half);
      gate.open();
      const run = await client.wait(request.key);
      assert.deepEqual([run.outcome, run.progress], ['succeeded', { percent: 100, text: '' }]);
    });
  }

  test('every exit code from 0 to 255, as it is', async () => {
    const codes = Array.from({ length: 256 }, (_, code) => code);
    const runs = await Promise.all(codes.map((code) => outcomeOf(keyed(sh(`code-${code}`, `exit ${code}`)))));
    assert.deepEqual(
      runs.map(({ code }) => code),
      codes,
    );
    assert.ok(runs.every(({ code, outcome }) => outcome === (code === 0 ? 'succeeded' : 'failed')));
    assert.deepEqual(
      runs.map(({ retcode }) => retcode),
      codes,
    );
  });

  test('the signal that it died of', async () => {
    for (const [name, number] of Object.entries({ SIGKILL: 9, SIGSEGV: 11, SIGUSR1: 10 })) {
      const short = name.slice(3);
      for (const request of [
        sh(`signal-sh-${name}`, `kill -${short} $$`),
        php(`signal-php-${name}`, `posix_kill(getmypid(), ${number}); sleep(9);`),
      ]) {
        const run = await outcomeOf(keyed(request));
        assert.deepEqual(
          [run.outcome, run.signal, run.code, run.retcode],
          ['killed', name, null, 128 + number],
        );
      }
    }
  });

  test('a signal that is sent to it', async () => {
    await client.run(
      sh('signalled', 'trap "echo got it; exit 4" USR1; echo up; while :; do sleep 0.02; done'),
    );
    await until('it listens', async () => (await logOf('signalled')) === 'up\n');
    await client.signal('signalled', 'USR1');
    const run = await client.wait('signalled');
    assert.deepEqual([run.outcome, run.code, await logOf('signalled')], ['failed', 4, 'up\ngot it\n']);
  });

  test('that its key stands in a claim which nobody has finished, and it does not run', async () => {
    const runs = path.join(daemon.state, 'pools/os/runs');
    const file = path.join(runs, `${fileOfKey('half' as RunKey)}.run`);
    fs.writeFileSync(file, '');
    const { uid, gid } = fs.statSync(runs);
    fs.chownSync(file, uid, gid);
    const run = await outcomeOf(keyed(sh('half', 'echo ran')));
    assert.deepEqual([run.outcome, run.code, run.started_ms], ['failed', null, null]);
    assert.match(run.error ?? '', /claimed before/);
    assert.equal(await logOf('half'), '');
  });

  test('that its program can not be executed', async () => {
    const missing = await outcomeOf({ key: 'missing', pool: 'os', argv: ['/no/such/program'] });
    assert.deepEqual([missing.outcome, missing.code], ['failed', 127]);
    assert.match(missing.error ?? '', /\/no\/such\/program/);
    const forbidden = await outcomeOf({ key: 'forbidden', pool: 'os', argv: ['/etc/passwd'] });
    assert.deepEqual([forbidden.outcome, forbidden.code], ['failed', 126]);
  });
});
