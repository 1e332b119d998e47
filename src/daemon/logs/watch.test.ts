import assert from 'node:assert/strict';
import { closeSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Progress, RunKey } from '../../wire/index.ts';
import { openPoolFileNow, type PoolFile } from './files.ts';
import { type LogFixture, logFixture, logIn } from './fixture.ts';
import { LogTimes } from './times.ts';
import { GrowthWatch, type Watched } from './watch.ts';

/** A run file of one line here: percent, a space, text. */
function readProgress(file: PoolFile): Progress | null {
  const fd = openPoolFileNow(file);
  if (fd === null) return null;
  const [percent, text] = readFileSync(fd, 'utf8').split(' ');
  closeSync(fd);
  return { percent: Number(percent), text: text ?? '' };
}

function watching(t: TestContext, runs = 1) {
  const first = logFixture(t, 'run-0.log');
  const base = path.dirname(first.folder);
  const logs = Array.from({ length: runs }, (_, at) => logIn(base, `run-${at}.log`));
  const running = logs.map(
    (log): Watched => ({ key: log.name as string as RunKey, log, runFile: log.runFile() }),
  );
  const seen: unknown[][] = [];
  const clock = { nowMs: 1000 };
  const times = new LogTimes();
  const watch = new GrowthWatch({
    running: () => running,
    grew: (run, size) => seen.push([run.key, size]),
    progressed: (run, progress: Progress) => seen.push([run.key, progress.percent, progress.text]),
    failed: (run, error) => seen.push([run.key, (error as Error).name]),
    readProgress,
    times,
    maxLogBytes: 1 << 20,
    nowMs: () => clock.nowMs,
  });
  const news = () => seen.splice(0);
  return { log: logs[0] as LogFixture, logs, running, watch, times, clock, news };
}

const writeRunFile = (log: LogFixture, text: string) =>
  writeFileSync(path.join(log.folder, log.runFile().name), text);

test('growth and progress are told once', async (t) => {
  const { log, watch, news } = watching(t);
  await watch.turn();
  assert.deepEqual(news(), []);
  log.append('hello');
  writeRunFile(log, '40 half\n');
  await watch.turn();
  assert.deepEqual(news(), [
    ['run-0.log', 5],
    ['run-0.log', 40, 'half\n'],
  ]);
  writeRunFile(log, '40 half\n \n');
  await watch.turn();
  assert.deepEqual(news(), []);
});

test('the time index is kept, and written when the run is no longer running', async (t) => {
  const { log, watch, times, clock, running } = watching(t);
  log.append('hello');
  await watch.turn();
  clock.nowMs = 5000;
  log.append(' world');
  await watch.turn();
  assert.equal(await times.offsetAt(log.notes, 4999), 5);
  running.length = 0;
  await watch.turn();
  assert.equal(statSync(`${log.notes}.idx`).size, 32);
});

test('a log that has grown too large is bounded, again and again', async (t) => {
  const { log, watch } = watching(t);
  for (let turn = 0; turn < 5; turn += 1) {
    log.append('line\n'.repeat(200_000));
    await watch.turn();
  }
  assert.ok(statSync(log.path).blocks * 512 <= 1 << 20);
});

test('links in the place of the files have no size and are not read', async (t) => {
  const { log, watch, news } = watching(t);
  symlinkSync('/etc/passwd', log.path);
  symlinkSync('/etc/passwd', path.join(log.folder, log.runFile().name));
  await watch.turn();
  assert.deepEqual(news(), []);
});

test('what fails is told once for each run', async (t) => {
  const { log, running, watch, news } = watching(t);
  const other = { ...log.runFile(), ownerUid: log.ownerUid + 1 };
  running[0] = { key: log.name as string as RunKey, log, runFile: other };
  for (const text of ['a\n', 'ab\n', 'abc\n']) {
    writeRunFile(log, text);
    await watch.turn();
  }
  assert.deepEqual(news(), [['run-0.log', 'UnsafeFileError']]);
});

test('hundreds of runs are looked at in slices, and none is forgotten', async (t) => {
  const { logs, watch, news } = watching(t, 450);
  for (const log of logs) log.append('x');
  let turnsOfLoop = 0;
  const count = () => {
    turnsOfLoop += 1;
    immediate = setImmediate(count);
  };
  let immediate = setImmediate(count);
  await watch.turn();
  clearImmediate(immediate);
  assert.equal(news().length, 450);
  assert.ok(turnsOfLoop >= 2);
});

test('it looks once a second from start to stop', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { log, watch, news, running } = watching(t);
  watch.start();
  log.append('x');
  t.mock.timers.tick(999);
  assert.deepEqual(news(), []);
  t.mock.timers.tick(1);
  assert.deepEqual(news(), [['run-0.log', 1]]);
  await watch.stop();
  running.length = 0;
  log.append('x');
  t.mock.timers.tick(5000);
  assert.deepEqual(news(), []);
});
