import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PRIORITY_STEP_MS, Queue, type Waiting } from './queue.ts';

function waiting(key: string, more: Partial<Waiting> = {}): Waiting {
  return { key, priority: 0, queuedMs: 0, needs: 'any', limits: [], ...more };
}

function dispatchAll(queue: Queue, accepts: (run: Waiting) => boolean = () => true): string {
  const placed: string[] = [];
  queue.dispatch((run) => {
    if (!accepts(run)) return false;
    placed.push(run.key);
    return true;
  });
  return placed.join(' ');
}

test('the older goes first, and of a higher priority before it, but nobody waits for ever', () => {
  const queue = new Queue();
  queue.add(waiting('b', { queuedMs: 2 }));
  queue.add(waiting('a', { queuedMs: 1 }));
  queue.add(waiting('high', { queuedMs: 3, priority: 1 }));
  queue.add(waiting('high, much later', { queuedMs: 3 + PRIORITY_STEP_MS, priority: 1 }));
  assert.equal(dispatchAll(queue), 'high a b high, much later');
  assert.equal(queue.size, 0);
});

test('a limit holds back its own, and nobody else', () => {
  const queue = new Queue();
  const limits = [{ name: 'job', max: 2 }];
  for (const key of ['a', 'b', 'c', 'd']) queue.add(waiting(key, { limits }));
  queue.add(waiting('other', { queuedMs: 5 }));
  assert.equal(dispatchAll(queue), 'a b other');
  assert.equal(queue.taken('job'), 2);
  assert.deepEqual(queue.heldBy(limits), limits[0]);
  assert.equal(dispatchAll(queue), '');
  queue.release(limits);
  assert.equal(dispatchAll(queue), 'c');
  queue.release(limits);
  queue.release(limits);
  assert.equal(dispatchAll(queue), 'd');
});

test('what no host does for keeps nobody waiting whose needs are others', () => {
  const queue = new Queue();
  for (let i = 0; i < 5; i++) queue.add(waiting(`gpu${i}`, { needs: 'gpu' }));
  queue.add(waiting('a', { queuedMs: 9 }));
  let asked = 0;
  assert.equal(
    dispatchAll(queue, ({ needs }) => (needs === 'gpu' ? ++asked < 0 : true)),
    'a',
  );
  assert.equal(asked, 1, 'the first one stands for all of its kind');
  assert.equal(dispatchAll(queue), 'gpu0 gpu1 gpu2 gpu3 gpu4');
});

test('what was removed is not given out', () => {
  const queue = new Queue();
  for (const key of ['a', 'b', 'c']) queue.add(waiting(key));
  queue.remove('a');
  queue.remove('c');
  assert.equal(dispatchAll(queue), 'b');
  queue.add(waiting('d'));
  assert.equal(dispatchAll(queue), 'd');
});

test('whatever happens: no limit is exceeded, and what could go has gone', () => {
  const run = fc.record({
    priority: fc.integer({ min: -2, max: 2 }),
    queuedMs: fc.integer({ min: 0, max: 5 }),
    needs: fc.constantFrom('x', 'y'),
    limits: fc.constantFrom<Waiting['limits']>(
      [],
      [{ name: 'j', max: 2 }],
      [
        { name: 'j', max: 2 },
        { name: 'k', max: 1 },
      ],
      [{ name: 'l', max: 1 }],
    ),
  });
  const move = fc.oneof(
    run.map((given) => ({ do: 'add' as const, given })),
    fc.nat(20).map((n) => ({ do: 'remove' as const, n })),
    fc.nat(20).map((n) => ({ do: 'end' as const, n })),
    fc.constantFrom('x', 'y', 'xy', '').map((needs) => ({ do: 'dispatch' as const, needs })),
  );
  fc.assert(
    fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
      const queue = new Queue();
      const waitingNow = new Map<string, Waiting>();
      const onHosts: Waiting[] = [];
      let count = 0;
      const taken = (name: string) =>
        onHosts.filter(({ limits }) => limits.some((limit) => limit.name === name)).length;
      const couldGo = ({ limits }: Waiting) => limits.every(({ name, max }) => taken(name) < max);
      for (const each of moves) {
        if (each.do === 'add') {
          const added = { ...each.given, key: `r${count++}` };
          queue.add(added);
          waitingNow.set(added.key, added);
        } else if (each.do === 'remove') {
          const key = [...waitingNow.keys()][each.n];
          if (key === undefined) continue;
          queue.remove(key);
          waitingNow.delete(key);
        } else if (each.do === 'end') {
          const [ended] = onHosts.splice(each.n, 1);
          if (ended !== undefined) queue.release(ended.limits);
        } else {
          queue.dispatch((next) => {
            assert.ok(waitingNow.has(next.key), `${next.key} is not waiting`);
            assert.ok(couldGo(next), `${next.key} is beyond a limit`);
            if (!each.needs.includes(next.needs)) return false;
            waitingNow.delete(next.key);
            onHosts.push(next);
            return true;
          });
          const left = [...waitingNow.values()].filter(
            (one) => each.needs.includes(one.needs) && couldGo(one),
          );
          assert.deepEqual(left, []);
        }
        assert.equal(queue.size, waitingNow.size);
      }
    }),
    { numRuns: 2000 },
  );
});
