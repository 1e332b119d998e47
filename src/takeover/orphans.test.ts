import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startTime } from '../posix/index.ts';
import { ask, Folder, RunningKeeper, workerEntry } from './fixtures/harness.ts';
import { Orphans } from './orphans.ts';

const kill9 = (pid: number): boolean => process.kill(pid, 'SIGKILL');

const end = {
  pid: 1,
  startTime: 2,
  code: 0,
  signal: null,
  cpuUserMs: 0,
  cpuSystemMs: 0,
  maxRssBytes: 0,
  endedMs: 0,
};

test('orphans are kept until acknowledged, and the oldest goes when there are too many', () => {
  const orphans = new Orphans(2);
  assert.deepEqual(orphans.add(end), { added: { id: 1, ...end }, dropped: null });
  orphans.add(end);
  assert.equal(orphans.add(end).dropped?.id, 1);
  orphans.acknowledge([1, 3]);
  assert.deepEqual(
    orphans.unacknowledged.map(({ id }) => id),
    [2],
  );
});

test('statuses of orphans survive a crash of the worker until they are acknowledged', async () => {
  using folder = new Folder();
  const behaviour = join(folder.path, 'behaviour');
  const entry = join(folder.path, 'entry.mjs'); // reads how to behave at every start
  const source = `import { readFileSync } from 'node:fs'; process.argv[2] = readFileSync(${JSON.stringify(behaviour)}, 'utf8');`;
  writeFileSync(entry, `${source} await import(${JSON.stringify(workerEntry)});`);
  writeFileSync(behaviour, 'echo');
  await using keeper = new RunningKeeper(folder.options('', { entry }));
  const first = await keeper.event('ready');
  const pid = Number(await ask(folder.socket, 'orphan\n'));
  const started = startTime(pid);
  kill9(first.pid); // the grandchild ends with it

  const second = await keeper.event('ready');
  const { orphan } = await keeper.event('orphan');
  assert.deepEqual([orphan?.id, orphan?.pid, orphan?.startTime, orphan?.code], [1, pid, started, 7]);
  writeFileSync(behaviour, 'acknowledge');
  kill9(second.pid);

  const third = await keeper.event('ready');
  assert.deepEqual((await keeper.event('orphan')).orphan, orphan, 'told again, the same');
  const nextPid = Number(await ask(folder.socket, 'orphan\n'));
  kill9(third.pid);

  await keeper.event('ready');
  const fresh = (await keeper.event('orphan')).orphan;
  assert.deepEqual([fresh?.id, fresh?.pid], [2, nextPid], 'the first is forgotten');
});

test('orphans that end in the very moment of their worker are each told once', async () => {
  using folder = new Folder();
  await using keeper = new RunningKeeper(folder.options('acknowledge'));
  const worker = await keeper.event('ready');
  const pids = await Promise.all(Array.from({ length: 100 }, () => ask(folder.socket, 'orphan\n')));
  kill9(worker.pid);
  const told = new Set<number>();
  for (let i = 0; i < pids.length; i++) told.add((await keeper.event('orphan')).orphan?.pid ?? 0);
  assert.deepEqual(told, new Set(pids.map(Number)));
});
