import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  setTimeout as delay,
  setImmediate as immediate,
  setInterval as intervals,
} from 'node:timers/promises';
import { short, type Workload, workload } from './workload.ts';

/** Timers, promises, and what travels along them. */
export const timers: readonly Workload[] = [
  short('setTimeout', async () => {
    const begun = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 3));
    assert.ok(performance.now() - begun >= 2);
  }),
  short('setInterval', async () => {
    let ticks = 0;
    for await (const step of intervals(1, 2)) {
      ticks += step;
      if (ticks === 10) break;
    }
    assert.equal(ticks, 10);
  }),
  short('the order of ticks, microtasks, immediates and timers', async () => {
    const order: string[] = [];
    setImmediate(() => order.push('immediate'));
    process.nextTick(() => order.push('tick'));
    queueMicrotask(() => order.push('microtask'));
    order.push('now');
    await immediate();
    await immediate();
    // A job runs in a microtask, so those go on before the next tick.
    assert.deepEqual(order, ['now', 'microtask', 'tick', 'immediate']);
  }),
  workload('thousands of timers', async () => {
    const waits = Array.from({ length: 5_000 }, (_, index) => delay(index % 50, index));
    assert.equal(
      (await Promise.all(waits)).reduce((sum, each) => sum + each),
      12_497_500,
    );
  }),
  short('promises in a long chain', async () => {
    let value = Promise.resolve(0);
    for (let link = 0; link < 5_000; link++) value = value.then((sum) => sum + 1);
    assert.equal(await value, 5_000);
    const settled = await Promise.allSettled([Promise.reject(new Error('one')), value]);
    assert.deepEqual(
      settled.map(({ status }) => status),
      ['rejected', 'fulfilled'],
    );
  }),
  short('AbortSignal.timeout and AbortSignal.any', async () => {
    await assert.rejects(delay(60_000, undefined, { signal: AbortSignal.timeout(2) }), {
      name: 'AbortError',
    });
    const controller = new AbortController();
    const either = AbortSignal.any([controller.signal, AbortSignal.timeout(60_000)]);
    controller.abort(new Error('enough'));
    assert.equal(either.reason.message, 'enough');
  }),
  short('AsyncLocalStorage across awaits', async () => {
    const storage = new AsyncLocalStorage<number>();
    const seen = await Promise.all(
      [1, 2, 3].map((id) =>
        storage.run(id, async () => {
          await immediate();
          await delay(1);
          return storage.getStore();
        }),
      ),
    );
    assert.deepEqual(seen, [1, 2, 3]);
  }),
  short('async generators', async () => {
    async function* numbers(): AsyncGenerator<number> {
      for (let number = 0; number < 100; number++) {
        if (number % 10 === 0) await immediate();
        yield number;
      }
    }
    assert.equal((await Array.fromAsync(numbers())).length, 100);
  }),
];
