import assert from 'node:assert/strict';
import { once } from 'node:events';
import { BroadcastChannel, MessageChannel, Worker } from 'node:worker_threads';
import { short, type Workload, workload } from './workload.ts';

const start = (code: string, workerData?: unknown): Worker => new Worker(code, { eval: true, workerData });

async function answerOf(worker: Worker): Promise<unknown> {
  const [[message]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
  return message;
}

/** Threads that a job starts, and channels between them. */
export const threads: readonly Workload[] = [
  // The thread's end waits for what a collection has left for threads that a fork does not take along, as on Node 26
  // without --minor-ms (docs/decisions/0013-node-26-collects-by-minor-ms.md).
  short('a collection of garbage, then a worker thread', async () => {
    for (let round = 0; round < 20; round++)
      Array.from({ length: 10_000 }, (_, index) => ({ index, text: `text ${index}` }));
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      parentPort.postMessage(workerData.reduce((sum, each) => sum + each));`;
    assert.equal(await answerOf(start(code, [1, 2, 3])), 6);
  }),
  workload('several worker threads, each at work', async () => {
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      const fs = require('node:fs/promises');
      let kept = [];
      for (let round = 0; round < 30; round++) kept = Array.from({ length: 20_000 }, (_, index) => ({ index }));
      fs.readFile('/proc/self/stat').then(() => parentPort.postMessage(kept.length + workerData));`;
    const answers = await Promise.all([1, 2, 3, 4].map((number) => answerOf(start(code, number))));
    assert.deepEqual(answers, [20_001, 20_002, 20_003, 20_004]);
  }),
  workload('SharedArrayBuffer and Atomics', async () => {
    const shared = new Int32Array(new SharedArrayBuffer(8));
    const code = `
      const { workerData } = require('node:worker_threads');
      for (let round = 0; round < 10_000; round++) Atomics.add(workerData, 0, 1);
      Atomics.add(workerData, 1, 1);
      Atomics.notify(workerData, 1);`;
    const workers = [start(code, shared), start(code, shared)];
    const exits = workers.map((worker) => once(worker, 'exit'));
    assert.notEqual(Atomics.wait(shared, 1, 0, 30_000), 'timed-out');
    await Promise.all(exits);
    assert.deepEqual([...shared], [20_000, 2]);
  }),
  workload('a worker thread that is terminated', async () => {
    const worker = start("require('node:worker_threads').parentPort.postMessage('busy'); for (;;);");
    await once(worker, 'message');
    assert.equal(await worker.terminate(), 1);
  }),
  workload('a worker thread that throws', async () => {
    const [error] = await once(start("throw new TypeError('in the thread')"), 'error');
    assert.equal(error.message, 'in the thread');
  }),
  workload('a worker thread that is left running', async () => {
    await once(
      start("require('node:worker_threads').parentPort.postMessage(1); setInterval(() => {}, 1)"),
      'message',
    );
  }),
  short('MessageChannel', async () => {
    const { port1, port2 } = new MessageChannel();
    const bytes = new Uint8Array([1, 2, 3]).buffer;
    port1.postMessage({ bytes, at: new Date(0) }, [bytes]);
    const [message] = await once(port2, 'message');
    assert.deepEqual(message, { bytes: new Uint8Array([1, 2, 3]).buffer, at: new Date(0) });
    assert.equal(bytes.byteLength, 0, 'it was handed over');
    port1.close();
  }),
  workload('BroadcastChannel', async () => {
    const [from, to] = [new BroadcastChannel('fork-safety'), new BroadcastChannel('fork-safety')];
    const heard = new Promise((resolve) => {
      to.onmessage = ({ data }: { readonly data: unknown }) => resolve(data);
    });
    from.postMessage('to all');
    assert.equal(await heard, 'to all');
    from.close();
    to.close();
  }),
];
