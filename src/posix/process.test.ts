import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  children,
  decodeWaitStatus,
  getDescriptorLimit,
  getppid,
  isChildSubreaper,
  kill,
  memfd,
  peekZombie,
  pidfdOpen,
  pidfdSendSignal,
  processStat,
  raiseDescriptorLimit,
  setChildSubreaper,
  setParentDeathSignal,
  spawn,
  startTime,
  wait4,
} from './index.ts';

const { SIGKILL, SIGTERM } = constants.signals;
const sh = (script: string): number =>
  spawn({ file: 'sh', argv: ['sh', '-c', script], env: { PATH: '/usr/bin:/bin' }, fileActions: [] });

test('a child ends with its exit code, or by its signal, and tells what it used', () => {
  const exited = wait4(sh('exit 7'), 'block');
  assert.equal(exited?.code, 7);
  assert.equal(exited?.signal, null);
  assert.ok((exited?.maxRssBytes ?? 0) > 100_000);
  const busy = wait4(sh('i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; kill -9 $$'), 'block');
  assert.deepEqual([busy?.code, busy?.signal], [null, SIGKILL]);
  assert.ok((busy?.cpuUserMs ?? 0) + (busy?.cpuSystemMs ?? 0) > 0);
});

test('a running child is null without blocking, and a reaped one ECHILD', () => {
  const pid = sh('read x < /dev/zero');
  assert.equal(wait4(pid, 'nohang'), null);
  assert.equal(kill(pid, SIGKILL), true);
  assert.equal(wait4(pid, 'block')?.signal, SIGKILL);
  assert.equal(kill(pid, 0), false);
  assert.throws(() => wait4(pid, 'nohang'), {
    code: 'ECHILD',
    message: `wait4: No child processes (process ${pid})`,
  });
});

test('a zombie can be looked at before it is reaped', () => {
  assert.equal(peekZombie(), null);
  const pid = sh('exit 0');
  const pidfd = pidfdOpen(pid);
  while (peekZombie() === null); // the kernel tells of its end: waitid(2)
  assert.equal(peekZombie(), pid);
  assert.equal(processStat(pid)?.state, 'Z');
  assert.ok((startTime(pid) ?? 0) >= (startTime(process.pid) ?? Infinity));
  assert.equal(wait4(pid, 'nohang')?.code, 0);
  assert.equal(startTime(pid), null);
  assert.equal(pidfdSendSignal(pidfd, SIGTERM), false);
  closeSync(pidfd);
});

test('a pidfd signals the process it was opened for', () => {
  const pid = sh('read x < /dev/zero');
  const pidfd = pidfdOpen(pid);
  assert.equal(pidfdSendSignal(pidfd, SIGTERM), true);
  assert.equal(wait4(pid, 'block')?.signal, SIGTERM);
  closeSync(pidfd);
  assert.throws(() => pidfdOpen(pid), { code: 'ESRCH', syscall: 'pidfd_open' });
});

test('kill takes single processes only', () => {
  for (const pid of [0, -1, 1.5]) assert.throws(() => kill(pid, 0), RangeError);
});

test('a subreaper inherits orphans', () => {
  setChildSubreaper();
  assert.equal(isChildSubreaper(), true);
  assert.equal(wait4(sh('(exec sleep 1000) & exit 0'), 'block')?.code, 0);
  const [orphan = 0] = children(process.pid);
  assert.equal(processStat(orphan)?.ppid, process.pid);
  kill(orphan, SIGKILL);
  assert.equal(wait4(orphan, 'block')?.signal, SIGKILL);
});

test('the parent and its death signal', () => {
  assert.equal(getppid(), process.ppid);
  setParentDeathSignal(SIGTERM);
  setParentDeathSignal(0);
  assert.throws(() => setParentDeathSignal(1000), { code: 'EINVAL' });
});

test('the descriptor limit rises and never falls', () => {
  const { soft } = getDescriptorLimit();
  assert.equal(raiseDescriptorLimit(10), soft);
  assert.equal(raiseDescriptorLimit(soft + 1), getDescriptorLimit().soft);
});

test('wait statuses are decoded, core dumps included', () => {
  assert.deepEqual(decodeWaitStatus(0x0300), { code: 3, signal: null });
  assert.deepEqual(decodeWaitStatus(0x008b), { code: null, signal: 11 });
});

test('a spawned program leads its session, with default signals, and has the descriptors it was given', () => {
  const log = join(tmpdir(), `posix-spawn-${process.pid}`);
  const stdin = memfd('stdin', 'from memory\n');
  const other = openSync('/dev/null', 'r'); // close-on-exec: stays behind
  const script =
    'cat; cat /proc/self/status; ls /proc/self/fd; echo "$GREETING"; pwd; cut -d" " -f6 /proc/$$/stat; echo $$';
  const pid = spawn({
    file: '/bin/sh',
    argv: ['sh', '-c', script],
    env: { GREETING: 'hé llo' },
    fileActions: [
      { do: 'dup2', from: stdin, to: 0 },
      { do: 'open', fd: 1, path: log, flags: 0o2101, mode: 0o600 }, // O_WRONLY | O_CREAT | O_APPEND
      { do: 'dup2', from: 1, to: 2 },
      { do: 'chdir', path: '/usr' },
    ],
  });
  assert.equal(wait4(pid, 'block')?.code, 0);
  closeSync(stdin);
  closeSync(other);
  const text = readFileSync(log, 'utf8');
  rmSync(log);
  const lines = text.trim().split('\n');
  assert.equal(lines[0], 'from memory');
  assert.match(text, /^SigBlk:\t0+$/m);
  assert.match(text, /^SigIgn:\t0+$/m);
  assert.match(text, /\nhé llo\n\/usr\n/);
  assert.ok(!lines.includes(String(other)) && !lines.includes(String(stdin)));
  assert.equal(lines.at(-2), lines.at(-1), 'session id = pid');
  assert.equal(lines.at(-1), String(pid));
});

test('a program that can not be started is an error here, and leaves no child', () => {
  const start = (file: string, argv = ['x']): number => spawn({ file, argv, env: {}, fileActions: [] });
  assert.throws(() => start('/nonexistent/x'), { code: 'ENOENT', message: /program \/nonexistent\/x/ });
  assert.throws(() => start('/etc/passwd'), { code: 'EACCES' });
  assert.throws(() => start('/bin/true', ['a\0b']), { code: 'EINVAL' });
  assert.equal(peekZombie(), null);
});
