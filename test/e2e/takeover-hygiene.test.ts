// What /proc says of keeper and worker after many takeovers is what it said after the first. TAKEOVERS: how many.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { TestDaemon, until } from '../support/daemon.ts';
import { childrenOf, workersOf } from '../support/processes.ts';
import { Wire } from '../support/wire.ts';

const TAKEOVERS = Number(process.env.TAKEOVERS ?? 8);
const CONNECTIONS = 20;
const O_CLOEXEC = 0o2000000;
const KEEPER_MAY_GROW = 8 << 20;
const WORKER_MAY_GROW = 30 << 20;

/** What kinds of descriptors a process has, and how many of each. */
function descriptors(pid: number): Record<string, number> {
  const kinds: Record<string, number> = {};
  for (const fd of fs.readdirSync(`/proc/${pid}/fd`)) {
    const kind = ifThere(() => fs.readlinkSync(`/proc/${pid}/fd/${fd}`)).replace(/:\[\d+\]$/, '');
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return kinds;
}

/** Descriptors that a program which the process starts would have. */
function inheritable(pid: number): number[] {
  return fs
    .readdirSync(`/proc/${pid}/fdinfo`)
    .filter((fd) => {
      const info = ifThere(() => fs.readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'));
      const flags = /^flags:\s+(\d+)/m.exec(info)?.[1];
      return flags !== undefined && (Number.parseInt(flags, 8) & O_CLOEXEC) === 0;
    })
    .map(Number)
    .toSorted((a, b) => a - b);
}

/** A connection may end just now. */
function ifThere(read: () => string): string {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

const rss = (pid: number): number =>
  Number(fs.readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
const threads = (pid: number): number => fs.readdirSync(`/proc/${pid}/task`).length;

/** All that is to stay the same. A predecessor stays for a moment after it has handed over. */
async function state(daemon: TestDaemon): Promise<object> {
  await until('there is one worker', () => workersOf(daemon).length === 1);
  const [worker = 0] = workersOf(daemon);
  return Object.fromEntries(
    Object.entries({ keeper: daemon.keeperPid, worker }).map(([name, pid]) => [
      name,
      { descriptors: descriptors(pid), inheritable: inheritable(pid), threads: threads(pid) },
    ]),
  );
}

test(`after ${TAKEOVERS} takeovers descriptors, threads, children and memory are as after the first`, async () => {
  await using daemon = await TestDaemon.start({ pools: '  os: { runtime: command, {user} }' });
  const client = await daemon.connect();
  const wires = await Promise.all(Array.from({ length: CONNECTIONS }, () => Wire.open(daemon.socket)));
  for (const wire of wires) await wire.ask('subscribe {"id":1,"key":"nobody"}');
  await client.restart();
  await daemon.settled();
  // Threads and the session with the zygote come a little later than the first answer: it has them all over a whole run.
  let first = await state(daemon);
  await until('nothing changes any more', async () => {
    const before = first;
    await client.wait((await client.run({ argv: ['true'] })).run.key);
    first = await state(daemon);
    return isDeepStrictEqual(before, first);
  });
  const children = childrenOf(daemon.keeperPid).length;
  const [keeperRss, workerRss] = [rss(daemon.keeperPid), rss(await daemon.workerPid())];

  for (let i = 1; i < TAKEOVERS; i++) await client.restart();
  await until('all is as it was', async () => isDeepStrictEqual(await state(daemon), first)).catch(async () =>
    assert.deepEqual(await state(daemon), first),
  );
  await until('no child is left over', () => childrenOf(daemon.keeperPid).length === children);
  const worker = await daemon.workerPid();
  // Whatever started this test may have left some to everybody.
  const strangers = new Set(inheritable(process.pid));
  for (const pid of [daemon.keeperPid, worker]) {
    const ours = inheritable(pid).filter((fd) => fd > 2 && !strangers.has(fd));
    assert.deepEqual(ours, []);
    assert.equal(
      Object.keys(descriptors(pid)).some((kind) => kind.includes('memfd')),
      false,
    );
  }
  const grown = { keeper: rss(daemon.keeperPid) - keeperRss, worker: rss(worker) - workerRss };
  assert.ok(grown.keeper < KEEPER_MAY_GROW, `the keeper has grown by ${grown.keeper} bytes`);
  assert.ok(grown.worker < WORKER_MAY_GROW, `the worker is larger by ${grown.worker} bytes`);
  for (const wire of wires) {
    assert.equal((await wire.ask('hello {"id":2}')).ok, true);
    wire[Symbol.dispose]();
  }
});
