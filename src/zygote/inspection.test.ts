import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notAllowed, ownThreads } from './inspection.ts';

const PID = 100;
const thread = (tid: number, name: string, state = 'S') => ({ tid, name, state });

test('a runtime has a main thread, whatever that is doing', () => {
  for (const runtime of ['php', 'command', 'node'] as const)
    assert.ok(ownThreads(runtime)(thread(PID, 'MainThread', 'R'), PID));
});

test('node has threads of its own, and they sleep', () => {
  const isOwn = (name: string, state?: string): boolean => ownThreads('node')(thread(101, name, state), PID);
  for (const name of ['V8Worker', 'node-V8Worker', 'DelayedTaskSche', 'libuv-worker']) {
    assert.equal(isOwn(name), true, name);
    assert.equal(isOwn(name, 'R'), false, name);
    assert.equal(ownThreads('php')(thread(101, name), PID), false, name);
  }
  for (const name of ['WorkerThread', 'libvips worker', 'MainThread']) assert.equal(isOwn(name), false, name);
});

test('what is allowed by name, or by how its name begins, is no finding', () => {
  const findings = ['threads', 'tcp:10.0.0.1:5432', 'file:/var/log/app.log'].map((name) => ({
    name,
    message: name,
  }));
  assert.deepEqual(
    notAllowed(findings, ['threads', 'tcp:*']).map(({ name }) => name),
    ['file:/var/log/app.log'],
  );
});
