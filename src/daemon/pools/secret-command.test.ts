import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { type CommandOutput, outputOf } from './secret-command.ts';

const never = new AbortController().signal;

function sh(script: string, more: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<CommandOutput> {
  const { timeoutMs = 10_000, signal = never } = more;
  const argv = ['sh', '-c', script];
  return outputOf({ program: '/bin/sh', argv, cwd: '/', timeoutMs, maxBytes: 1_000 }, signal);
}

async function printed(script: string): Promise<string> {
  const result = await sh(script);
  return 'output' in result ? result.output.toString() : assert.fail(result.problem);
}

async function problem(result: Promise<CommandOutput>): Promise<string> {
  const got = await result;
  return 'problem' in got ? got.problem : assert.fail(got.output.toString());
}

/** A process that a script has left, by the pid that it printed into a file. */
async function isGone(pid: number): Promise<void> {
  for (let tries = 0; tries < 1_000; tries++) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await wait(5);
  }
  assert.fail(`${pid} lives on`);
}

test('what a command prints comes as it is; what it prints as errors does not', async () => {
  assert.equal(await printed('echo oops >&2; printf "a\\nb\\n\\n"'), 'a\nb\n\n');
  assert.equal(await printed('pwd'), '/\n');
});

test('it has a small environment and nothing of ours', async () => {
  process.env.SECRET_COMMAND_TEST = 'ours';
  const names = (await printed('env')).split('\n').map((line) => line.split('=')[0] ?? '');
  delete process.env.SECRET_COMMAND_TEST;
  const allowed = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'CREDENTIALS_DIRECTORY'];
  // What the shell itself sets.
  const own = ['PWD', 'OLDPWD', 'SHLVL', '_', ''];
  assert.deepEqual(
    names.filter((name) => !allowed.includes(name) && !own.includes(name)),
    [],
  );
  assert.ok(names.includes('PATH') && names.includes('HOME'));
});

test('how it failed is told, and nothing of what it printed', async () => {
  assert.equal(await problem(sh('echo s3cret; echo s3cret >&2; exit 3')), 'ended with code 3');
  assert.equal(await problem(sh('echo s3cret; kill -9 $$')), 'was ended by SIGKILL');
  const none = { program: '/no/such', argv: ['such'], cwd: '/', timeoutMs: 1_000, maxBytes: 9 };
  assert.equal(await problem(outputOf(none, never)), "can't be run (ENOENT)");
});

test('one that takes too long is killed with all that it has started', async () => {
  const began = performance.now();
  const pids: number[] = [];
  const script = 'sleep 1000 & echo $! $$ >/tmp/secret-command-$PPID; wait';
  assert.equal(await problem(sh(script, { timeoutMs: 200 })), 'was not done after 200 ms');
  assert.ok(performance.now() - began < 5_000);
  const { readFileSync, rmSync } = await import('node:fs');
  const file = `/tmp/secret-command-${process.pid}`;
  pids.push(...readFileSync(file, 'utf8').trim().split(' ').map(Number));
  rmSync(file);
  assert.equal(pids.length, 2);
  for (const pid of pids) await isGone(pid);
});

test('who holds its output open and has left its group is not waited for', async () => {
  const began = performance.now();
  assert.equal(await problem(sh('setsid sleep 8 & wait', { timeoutMs: 200 })), 'was not done after 200 ms');
  assert.ok(performance.now() - began < 5_000);
});

test('one that prints too much is killed', async () => {
  assert.equal(await problem(sh('yes')), 'prints more than 1000 bytes');
});

test('one that nobody wants any more is killed', async () => {
  const abort = new AbortController();
  const result = sh('sleep 1000', { signal: abort.signal });
  await wait(50);
  abort.abort();
  assert.equal(await problem(result), 'is not wanted any more');
  assert.equal(await problem(sh('echo a', { signal: abort.signal })), 'is not wanted any more');
});
