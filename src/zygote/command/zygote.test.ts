import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bootId, children, processStat } from '../../posix/index.ts';
import { Session, ZygoteUnderTest } from './zygote-under-test.ts';

const alive = (pid: number): boolean => !['Z', 'X', undefined].includes(processStat(pid)?.state);

test('a run ends with its exit code and the time that it took', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  const ended = await daemon.shell('a', 'exit 7');
  assert.equal(ended.code, 7);
  assert.equal(ended.signal, null);
  assert.equal(ended.reason, null);
  assert.equal(ended.claimed, true);
  assert.ok(ended.max_rss_bytes > 100_000 && ended.cpu_user_ms + ended.cpu_system_ms > 0);
  assert.deepEqual(
    daemon.events.map((event) => event.event),
    ['hello', 'forked', 'claimed', 'ended'],
  );
  assert.ok(daemon.events.slice(2).every((event) => 'pid' in event && event.pid === ended.pid));
});

test('the run file holds the claim and the exit code', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  const before = Date.now();
  daemon.start('a', [
    'sh',
    '-c',
    'cut -d" " -f22 /proc/$$/stat; echo progress 40 importing >> $ROCKSY_RUN_FILE; exit 3',
  ]);
  const { pid } = await daemon.ended('a');
  const [claim = '', ...rest] = zygote.runFile('a').split('\n');
  const [word, version, ofPid, startTime, boot, ms] = claim.split(' ');
  assert.deepEqual([word, version, ofPid, boot], ['claim', '1', String(pid), bootId()]);
  assert.equal(startTime, zygote.log('a').trim(), 'the command is the process that claimed');
  assert.ok(Number(ms) >= before - 1 && Number(ms) <= Date.now());
  assert.deepEqual(rest, ['progress 40 importing', 'exit 3', '']);
});

test('a run that is killed ends with the signal', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  const ended = await daemon.shell('a', 'kill -USR1 $$');
  assert.deepEqual([ended.code, ended.signal, ended.claimed], [null, 10, true]);
  assert.doesNotMatch(zygote.runFile('a'), /exit/);
});

test('a command that does not exist is 127, one that is not executable 126, and both say why', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  writeFileSync(join(zygote.folder, 'plain'), 'text', { mode: 0o600 });
  daemon.start('absent', ['no-such-command']);
  daemon.start('plain', ['./plain']);
  daemon.start('empty', ['']);
  daemon.start('large', ['true', 'x'.repeat(200_000)]);
  assert.equal((await daemon.ended('absent')).code, 127);
  assert.equal((await daemon.ended('empty')).code, 127);
  assert.equal((await daemon.ended('plain')).code, 126);
  assert.equal((await daemon.ended('large')).code, 126);
  assert.equal(zygote.log('absent'), 'no-such-command: command not found\n');
  assert.equal(zygote.log('plain'), './plain: Permission denied\n');
  assert.equal(zygote.log('large'), 'true: Argument list too long\n');
  assert.match(zygote.runFile('absent'), /^claim .*\nerror no-such-command: command not found\nexit 127\n$/);
});

test('a command is looked up in the PATH of its own environment', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  writeFileSync(join(zygote.folder, 'mine'), '#!/bin/sh\necho found', { mode: 0o700 });
  daemon.start('a', ['mine'], { env: { PATH: zygote.folder } });
  assert.equal((await daemon.ended('a')).code, 0);
  assert.equal(zygote.log('a'), 'found\n');
});

test('arguments arrive as they are, however odd', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  const odd = [
    '',
    ' ',
    '-n',
    '--',
    '\'"`$(id)',
    'two\nlines\r',
    '\u0001\u007f',
    'äöü 日本 🚀',
    '\ufffd',
    '%s\\0',
    '=',
    '\u00ff',
  ];
  daemon.start('a', ['printf', '%s\\0', ...odd], { file: '.~a-B_1' });
  assert.equal((await daemon.ended('a')).code, 0);
  assert.deepEqual(zygote.log('.~a-B_1').split('\0').slice(0, -1), odd);
});

test('the environment is the zygote’s, the request’s and the run’s own, byte for byte', async () => {
  await using zygote = new ZygoteUnderTest({ env: { KEPT: 'as it is', OVERRIDDEN: 'by the zygote' } });
  const daemon = await zygote.session();
  const env = {
    OVERRIDDEN: 'by the request',
    EMPTY: '',
    EQUALS: 'a=b=c',
    UMLAUT: 'ä\n日',
    ROCKSY_KEY: 'another',
    ROCKSY_ZYGOTE: 'x',
    // Would stop Perl, had they a say before the claim.
    PERL5OPT: '-Mno::such::module',
    PERL5LIB: '/nowhere',
    LC_ALL: 'xx_XX.nonsense',
  };
  daemon.start('a', ['env', '-0'], { env });
  assert.equal((await daemon.ended('a')).code, 0);
  const found = Object.fromEntries(
    zygote
      .log('a')
      .split('\0')
      .slice(0, -1)
      .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
  const { ROCKSY_ZYGOTE: _, ...rest } = env;
  assert.deepEqual(found, {
    PATH: '/usr/bin:/bin',
    LANG: 'C.UTF-8',
    KEPT: 'as it is',
    ...rest,
    ROCKSY_KEY: 'a',
    ROCKSY_POOL: 'shell',
    ROCKSY_RUN_FILE: join(zygote.runs, 'a.run'),
  });
  assert.equal(readFileSync(zygote.bootLog, 'utf8'), '');
});

test('standard input is what the request says, or nothing', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  const large = 'zeile\n'.repeat(100_000);
  daemon.start('given', ['cat'], { stdin: large });
  daemon.start('none', ['readlink', '/proc/self/fd/0']);
  await daemon.ended('given');
  await daemon.ended('none');
  assert.equal(zygote.log('given'), large);
  assert.equal(zygote.log('none'), '/dev/null\n');
});

test('a run starts in its cwd, and one that is not there is its failure', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  await daemon.shell('here', 'pwd');
  await daemon.shell('there', 'pwd', { cwd: '/usr/bin' });
  const ended = await daemon.shell('nowhere', 'pwd', { cwd: '/no/such/folder' });
  assert.equal(zygote.log('here'), `${zygote.folder}\n`);
  assert.equal(zygote.log('there'), '/usr/bin\n');
  assert.deepEqual([ended.code, ended.claimed], [126, true]);
  assert.match(zygote.runFile('nowhere'), /\nerror cwd \/no\/such\/folder: No such file or directory\n/);
});

test('output goes to the named log, both streams in order, appended', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  writeFileSync(join(zygote.runs, 'shared.log'), 'before\n');
  await daemon.shell('a', 'echo one; echo two >&2; echo three', { log: 'shared.log' });
  assert.equal(readFileSync(join(zygote.runs, 'shared.log'), 'utf8'), 'before\none\ntwo\nthree\n');
  assert.equal(zygote.has('a.log'), false);
});

test('a run has three descriptors, a session of its own and no signal blocked or ignored', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  await daemon.shell(
    'a',
    'ls /proc/$$/fd; grep ^Sig[BI] /proc/self/status; cut -d" " -f1,5,6 /proc/$$/stat',
    { stdin: 'x' },
  );
  const zeros = '0'.repeat(16);
  const { pid } = await daemon.ended('a');
  // The shell itself keeps nothing open while `ls` runs.
  assert.equal(zygote.log('a'), `0\n1\n2\nSigBlk:\t${zeros}\nSigIgn:\t${zeros}\n${pid} ${pid} ${pid}\n`);
});

test('a key that is claimed already runs nothing', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  writeFileSync(join(zygote.runs, 'a.run'), 'claim 1 1 1 x 1\n');
  const ended = await daemon.shell('a', 'touch ran');
  assert.equal(ended.claimed, false);
  assert.match(ended.message ?? '', /claimed before: .*a\.run exists/);
  assert.equal(zygote.has('a.log'), false);
  assert.equal(zygote.runFile('a'), 'claim 1 1 1 x 1\n');
  assert.ok(!daemon.events.some((event) => event.event === 'claimed'));
});

test('a folder of run files that is not there is said, and nothing runs', async () => {
  await using zygote = new ZygoteUnderTest({ config: { runs: '/no/such/folder' } });
  const daemon = await zygote.session();
  const ended = await daemon.shell('a', 'exit 0');
  assert.equal(ended.claimed, false);
  assert.match(ended.message ?? '', /\/no\/such\/folder\/a\.run: No such file/);
  const probed = await daemon.ask({ op: 'probe' });
  assert.ok(probed.event === 'probed' && !probed.ok && /No such file/.test(probed.message ?? ''));
});

test('what can’t be carried out is refused, and the key stays free', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  const cases = [
    { class: 'Job' },
    {},
    { argv: [] },
    { argv: ['a\0b'] },
    { argv: ['\ud800'] },
    { argv: ['a', 1] },
    { argv: ['true'], file: '../a' },
    { argv: ['true'], log: 'a/b' },
    { argv: ['true'], cwd: 'relative' },
    { argv: ['true'], env: { 'A=B': '' } },
    { argv: ['true'], env: { A: 'x\0' } },
    { argv: ['true'], stdin: 1 },
    { argv: ['true'], timeout_ms: 'soon' },
  ];
  for (const [index, fields] of cases.entries()) {
    daemon.send({ op: 'start', key: `k${index}`, file: 'f', ...fields });
    const refused = await daemon.about(`k${index}`, 'refused');
    assert.ok(
      refused.event === 'refused' && refused.code === 'invalid' && refused.message !== '',
      JSON.stringify(fields),
    );
  }
  assert.equal((await daemon.shell('k0', 'exit 0')).code, 0);
  daemon.start('k0', ['true']);
  const known = await daemon.about('k0', 'refused');
  assert.ok(known.event === 'refused');
});

test('a run that ended is known until it is acknowledged', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  await daemon.shell('a', 'exit 0');
  daemon.start('a', ['true']);
  const refused = await daemon.about('a', 'refused');
  assert.equal(refused.event === 'refused' && refused.code, 'known');
  daemon.send({ op: 'ack', key: 'a' }, { op: 'ack', key: 'never was' });
  daemon.start('a', ['true'], { file: 'a2' });
  assert.equal(
    (await daemon.next((e) => e.event === 'ended' && e.key === 'a' && e.code === 0)).event,
    'ended',
  );
  assert.equal(daemon.events.filter((event) => event.event === 'refused').length, 1);
});

test('an acknowledgement of a run that still runs forgets nothing', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  daemon.start('a', ['sleep', '1000']);
  daemon.send({ op: 'ack', key: 'a' });
  await daemon.about('a', 'claimed');
  const signalled = await daemon.ask({ op: 'signal', key: 'a', signal: 9 });
  assert.ok(signalled.event === 'signalled' && signalled.ok);
  assert.equal((await daemon.ended('a')).signal, 9);
});

test('signals reach the main process of a run that runs, and nobody else', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  const trapped = daemon.shell(
    'a',
    "trap 'echo usr1; exit 5' USR1; echo ready > ready; while :; do sleep 0.01; done",
  );
  await daemon.about('a', 'claimed');
  await zygote.appears('ready');
  const ok = async (request: object): Promise<boolean> => {
    const event = await daemon.ask(request);
    return event.event === 'signalled' && event.ok;
  };
  assert.equal(await ok({ op: 'signal', key: 'a', signal: 0 }), true);
  assert.equal(await ok({ op: 'signal', key: 'a', signal: 10 }), true);
  assert.equal((await trapped).code, 5);
  assert.equal(await ok({ op: 'signal', key: 'a', signal: 10 }), false);
  assert.equal(await ok({ op: 'signal', key: 'unknown', signal: 10 }), false);
  assert.equal(await ok({ op: 'cancel', key: 'a', kill_after_ms: 1, reason: 'cancel' }), false);
});

test('a timeout ends a run by SIGTERM', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  daemon.start('a', ['sleep', '1000'], { timeout_ms: 50 });
  const ended = await daemon.ended('a');
  assert.deepEqual([ended.signal, ended.reason], [15, 'timeout']);
});

test('a run that ignores SIGTERM is killed after its grace', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  const ended = await daemon.shell('a', "trap '' TERM; while :; do sleep 0.01; done", {
    timeout_ms: 50,
    kill_after_ms: 50,
  });
  assert.deepEqual([ended.signal, ended.reason], [9, 'timeout']);
});

test('a timeout of weeks does not end a run at once', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  const ended = await daemon.shell('a', 'sleep 0.1', { timeout_ms: 2 ** 31 * 1000 });
  assert.deepEqual([ended.code, ended.reason], [0, null]);
});

test('a cancel gives its reason, and a second one can only bring the kill forward', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  daemon.start('a', ['sh', '-c', "trap '' TERM; echo > ready; while :; do sleep 0.01; done"]);
  await zygote.appears('ready');
  await daemon.ask({ op: 'cancel', key: 'a', kill_after_ms: 3_600_000, reason: 'replaced' });
  await daemon.ask({ op: 'cancel', key: 'a', kill_after_ms: 50, reason: 'cancel' });
  await daemon.ask({ op: 'cancel', key: 'a', kill_after_ms: 3_600_000, reason: 'cancel' });
  const ended = await daemon.ended('a');
  assert.deepEqual([ended.signal, ended.reason, ended.claimed], [9, 'replaced', true]);
});

test('a daemon that a run leaves behind is gone when the run has ended', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  // Forked twice, in a session of its own, deaf to SIGTERM and SIGHUP, with descendants that are the same.
  const script = `
    (setsid sh -c 'trap "" TERM HUP; (setsid sh -c "trap \\"\\" TERM; echo \\$\\$ >> pids; exec sleep 1000" &) ; echo $$ >> pids; exec sleep 1000' &)
    while [ "$(wc -l < pids 2>/dev/null || echo 0)" -lt 2 ]; do sleep 0.01; done; exit 4`;
  const ended = await daemon.shell('a', script);
  assert.equal(ended.code, 4);
  const pids = readFileSync(join(zygote.folder, 'pids'), 'utf8').trim().split('\n').map(Number);
  assert.equal(pids.length, 2);
  for (const pid of pids) assert.equal(processStat(pid), null, 'reaped too');
  assert.deepEqual(children(zygote.pid), []);
});

test('what one run leaves behind is killed while another goes on undisturbed', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  daemon.start('other', ['sh', '-c', '(setsid sleep 1000 &); echo > ready; sleep 1000; exit 0']);
  await zygote.appears('ready');
  await daemon.shell('a', '(setsid sleep 1001 &)');
  const [main] = children(zygote.pid);
  assert.equal(main, ((await daemon.about('other', 'claimed')) as { pid: number }).pid);
  assert.ok(main !== undefined && children(main).length > 0, 'its orphan stays below it');
  await daemon.ask({ op: 'signal', key: 'other', signal: 9 });
  await daemon.ended('other');
  assert.deepEqual(children(zygote.pid), []);
});

test('leave_children leaves them', async () => {
  await using zygote = new ZygoteUnderTest({ config: { leave_children: true } });
  const daemon = await zygote.session();
  const ended = await daemon.shell('a', '(setsid sleep 1000 & echo $! > pid)');
  assert.equal(ended.code, 0);
  const pid = Number(readFileSync(join(zygote.folder, 'pid'), 'utf8'));
  assert.ok(alive(pid));
  assert.deepEqual(children(zygote.pid), [pid], 'it is the zygote that will reap it');
});

test('200 runs at once end with 200 codes, each its own', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  const codes = Array.from({ length: 200 }, (_, index) => index);
  const ended = await Promise.all(codes.map((code) => daemon.shell(`k${code}`, `exit ${code}`)));
  assert.deepEqual(
    ended.map(({ code }) => code),
    codes,
  );
});

test('a run outlives its zygote, and its run file tells of it', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  daemon.start('a', ['sh', '-c', 'echo > ready; sleep 1000; exit 0']);
  await zygote.appears('ready');
  const claimed = await daemon.about('a', 'claimed');
  const pid = 'pid' in claimed ? claimed.pid : 0;
  process.kill(zygote.pid, 'SIGKILL');
  await zygote.exit;
  await daemon.closed;
  try {
    assert.ok(alive(pid));
    const claim = zygote.runFile('a').split(' ');
    assert.deepEqual(
      [claim[0], Number(claim[2]), Number(claim[3])],
      ['claim', pid, processStat(pid)?.startTime],
    );
  } finally {
    process.kill(pid, 'SIGKILL');
  }
});

test('drain refuses what is new, waits for what runs and is not acknowledged, then exits with 0', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  daemon.start('a', ['sleep', '1000']);
  await daemon.about('a', 'claimed');
  daemon.send({ op: 'drain' });
  daemon.start('b', ['true']);
  const refused = await daemon.about('b', 'refused');
  assert.equal(refused.event === 'refused' && refused.code, 'draining');
  daemon.start('a', ['true']);
  const known = await daemon.about('a', 'refused');
  assert.equal(known.event === 'refused' && known.code, 'known');
  await daemon.ask({ op: 'signal', key: 'a', signal: 15 });
  await daemon.ended('a');
  const next = await Session.open(zygote.socket);
  const hello = await next.hello(50);
  assert.equal(hello.draining, true);
  next.send({ op: 'ack', key: 'a' });
  assert.deepEqual(await zygote.exit, { code: 0, signal: null });
});

test('SIGTERM drains; SIGINT, SIGHUP and SIGPIPE do nothing', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGPIPE']) process.kill(zygote.pid, signal);
  assert.equal((await daemon.shell('a', 'exit 0')).code, 0);
  daemon.send({ op: 'ack', key: 'a' });
  await daemon.ask({ op: 'stats' });
  process.kill(zygote.pid, 'SIGTERM');
  assert.deepEqual(await zygote.exit, { code: 0, signal: null });
});

test('the first request is hello, and numbers only rise', async () => {
  await using zygote = new ZygoteUnderTest();
  const rude = await Session.open(zygote.socket);
  rude.send({ op: 'start', key: 'a', file: 'a', argv: ['true'] });
  await rude.closed;
  assert.deepEqual(
    rude.events.map((event) => event.event),
    ['error'],
  );
  const first = await Session.open(zygote.socket);
  await first.hello(5);
  for (const number of [5, 4]) {
    const late = await Session.open(zygote.socket);
    const answer = (await late.hello(number)) as unknown;
    assert.match((answer as { message: string }).message, /not higher than 5/);
    await late.closed;
  }
  const other = await Session.open(zygote.socket);
  other.send({ op: 'hello', id: 1, version: 2, session: 9 });
  await other.closed;
  assert.equal(
    (await first.shell('a', 'exit 0')).code,
    0,
    'the session goes on, and the rude start was not carried out',
  );
  const unknown = await first.ask({ op: 'dance' });
  assert.ok(unknown.event === 'error' && /dance/.test(unknown.message));
  first.socket.write('{"op":\n');
  await first.next((event) => event.event === 'error' && event.id === undefined);
  assert.equal((await first.ask({ op: 'stats' })).event, 'stats');
});

test('hello lists the descriptors, and no session leaks any', async () => {
  await using zygote = new ZygoteUnderTest();
  await describesItself(zygote);
  const count = async (): Promise<number> => {
    const session = await zygote.session();
    const hello = session.events.find((event) => event.event === 'hello');
    return hello?.event === 'hello' ? hello.descriptors.length : 0;
  };
  const before = await count();
  for (let i = 0; i < 20; i++) await count();
  assert.equal(await count(), before);
});

async function describesItself(zygote: ZygoteUnderTest): Promise<void> {
  const session = await zygote.session();
  const hello = session.events.find((event) => event.event === 'hello');
  assert.ok(hello?.event === 'hello');
  assert.equal(hello.pid, zygote.pid);
  assert.equal(hello.generation, 4);
  assert.deepEqual([hello.parked, hello.draining], [0, false]);
  for (const fd of [0, 1, 2, 3]) assert.ok(hello.descriptors.includes(fd));
  for (const fd of hello.descriptors) assert.ok(readlinkSync(`/proc/${zygote.pid}/fd/${fd}`) !== '');
  await session.shell('stdin', 'exit 0', { stdin: 'x' });
}

test('probe forks a child that leaves nothing', async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  assert.deepEqual(await daemon.ask({ op: 'probe' }), { event: 'probed', id: 2, ok: true });
  assert.deepEqual(children(zygote.pid), []);
  assert.deepEqual(await daemon.ask({ op: 'stats' }), {
    event: 'stats',
    id: 3,
    running: 0,
    parked: 0,
    forks: 1,
    extra: {},
  });
  assert.deepEqual(readdirSync(zygote.runs), []);
});
