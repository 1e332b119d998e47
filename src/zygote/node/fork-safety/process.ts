import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fstatSync, readlinkSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { INPUT } from './input.ts';
import { short, type Workload, workload } from './workload.ts';

/** The process that a job is: what it reads and prints, its signals, how it ends. */
export const ownProcess: readonly Workload[] = [
  short('process: pid, memory, time, title', async () => {
    assert.equal(process.pid, Number(readlinkSync('/proc/self')));
    assert.ok(process.ppid > 0);
    assert.ok(process.memoryUsage().heapUsed > 0 && process.resourceUsage().maxRSS > 0);
    const begun = process.hrtime.bigint();
    await delay(3);
    assert.ok(process.hrtime.bigint() - begun > 1_500_000n);
  }),
  workload('process.stdin', async () => {
    assert.equal(await text(process.stdin), INPUT);
  }),
  workload('large output', () => {
    const before = fstatSync(1).size;
    const line = 'a line of output '.repeat(60);
    for (let count = 0; count < 10_000; count++) console.log(line);
    process.stdout.write('€'.repeat(1 << 20));
    assert.equal(fstatSync(1).size - before, 10_000 * (line.length + 1) + 3 * (1 << 20));
  }),
  short('a signal to oneself', async () => {
    const awake = setTimeout(() => {}, 60_000); // who waits for a signal does not keep the process alive
    const received = once(process, 'SIGWINCH');
    process.kill(process.pid, 'SIGWINCH');
    assert.equal((await received)[0], 'SIGWINCH');
    clearTimeout(awake);
  }),
  workload('signals from another process', async () => {
    const signals = ['SIGHUP', 'SIGUSR2', 'SIGTERM', 'SIGINT'];
    const all = signals.map((signal) => once(process, signal));
    spawn('sh', ['-c', signals.map((signal) => `kill -${signal.slice(3)} ${process.pid}`).join(';')]);
    const received = await Promise.all(all);
    assert.deepEqual(
      received.map(([signal]) => signal),
      signals,
    );
  }),
  workload(
    'process.exit',
    () => {
      setTimeout(() => process.exit(7), 1);
      return new Promise(() => {});
    },
    7,
  ),
  workload(
    'process.exitCode, with handlers and handles that are open',
    () => {
      setInterval(() => {}, 1_000);
      process.on('beforeExit', () => {
        process.exitCode = 8;
      });
      process.on('exit', () => {
        process.exitCode = Number(process.exitCode) + 1;
      });
    },
    9,
  ),
  workload(
    'an exception that nobody catches',
    async () => {
      setTimeout(() => {
        throw new RangeError('nobody catches this');
      }, 1);
      await delay(60_000);
    },
    255,
  ),
  workload('an uncaughtException handler', async () => {
    const caught = once(process, 'uncaughtException');
    setImmediate(() => {
      throw new RangeError('caught');
    });
    assert.equal((await caught)[0].message, 'caught');
  }),
  workload('a job that waits for nothing', () => new Promise(() => {}), 13),
];
