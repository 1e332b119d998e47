import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { settled, TestClock, until } from '../fixtures/test-clock.ts';
import type { EventBatch, Store } from '../store/index.ts';
import { type FedEvent, Feed } from './feed.ts';

/** The log of events in memory; what is read of it comes when `pause` lets it. */
class Log {
  batches: EventBatch[] = [];
  #lastId = 0;
  reads = 0;
  pause: () => Promise<void> = async () => undefined;

  append(...names: readonly string[]): number {
    this.batches.push({ id: ++this.#lastId, atMs: 0, events: names.map((name) => ({ name })) });
    return this.#lastId;
  }

  get store(): Store {
    const events = {
      after: async (id: number, limit: number) => {
        this.reads++;
        await this.pause();
        const found = this.batches.filter((batch) => batch.id > id).slice(0, limit);
        await this.pause();
        return found;
      },
      range: async () => ({ first: this.batches[0]?.id ?? 0, last: this.batches.at(-1)?.id ?? 0 }),
    };
    return { events } as unknown as Store;
  }
}

async function fedBy(log: Log) {
  const clock = new TestClock(0);
  const failures: unknown[] = [];
  const feed = new Feed({ store: log.store, clock, failed: (error) => failures.push(error) });
  await feed.start();
  return { feed, clock, failures };
}

async function feedOf(log: Log): Promise<Feed> {
  const { feed } = await fedBy(log);
  return feed;
}

function publish(feed: Feed, log: Log, ...names: readonly string[]): void {
  const id = log.append(...names);
  feed.publish(
    names.map((name) => ({ name })),
    id,
  );
}

/** Hears of events, as names. */
function ear() {
  const heard: string[] = [];
  const ids: string[] = [];
  const listener = (events: readonly FedEvent[]): void => {
    for (const { id, event } of events) {
      heard.push(String(event.name));
      ids.push(id);
    }
  };
  return { heard, ids, listener };
}

test('who listens hears what comes from now on, until it does not want to any more', async () => {
  const log = new Log();
  const feed = await feedOf(log);
  publish(feed, log, 'before');
  const { heard, ids, listener } = ear();
  {
    using _ = await feed.listen(null, listener);
    publish(feed, log, 'a', 'b');
    publish(feed, log, 'c');
  }
  publish(feed, log, 'after');
  assert.deepEqual(
    [heard, ids],
    [
      ['a', 'b', 'c'],
      ['2.0', '2.1', '3.0'],
    ],
  );
  assert.equal(log.reads, 0);
});

test('who comes back hears what was missed, from the very event on, and then what comes', async () => {
  const log = new Log();
  const feed = await feedOf(log);
  publish(feed, log, 'a', 'b', 'c');
  for (let i = 0; i < 250; i++) publish(feed, log, `m${i}`);
  const { heard, listener } = ear();
  using listening = await feed.listen('1.0', listener);
  publish(feed, log, 'z');
  assert.equal(listening.isWhole, true);
  assert.deepEqual(heard, ['b', 'c', ...Array.from({ length: 250 }, (_, i) => `m${i}`), 'z']);
});

test('what is forgotten already is told as not whole', async () => {
  const log = new Log();
  const feed = await feedOf(log);
  for (let i = 1; i <= 10; i++) publish(feed, log, `${i}a`, `${i}b`);
  log.batches = log.batches.slice(4);
  const wholeFrom = async (id: string): Promise<boolean> => (await feed.listen(id, () => undefined)).isWhole;
  assert.equal(await wholeFrom('5.0'), true);
  // What followed 4.0 in its own commit is forgotten.
  assert.equal(await wholeFrom('4.0'), false);
  assert.equal(await wholeFrom('1.1'), false);
});

test('an id that was never given is told as not whole, and what comes is heard all the same', async () => {
  const log = new Log();
  const feed = await feedOf(log);
  publish(feed, log, 'a');
  const { heard, listener } = ear();
  using listening = await feed.listen('99.0', listener);
  publish(feed, log, 'b');
  assert.equal(listening.isWhole, false);
  assert.deepEqual(heard, ['b']);
  const empty = await feedOf(new Log());
  assert.equal((await empty.listen('0', listener)).isWhole, true);
});

test('of two who write at a time the later may be told first: it is heard in order, and once', async () => {
  const log = new Log();
  const feed = await feedOf(log);
  const { heard, listener } = ear();
  using _ = await feed.listen(null, listener);
  const [first, second] = [log.append('a'), log.append('b')];
  feed.publish([{ name: 'b' }], second);
  feed.publish([{ name: 'a' }], first);
  publish(feed, log, 'c');
  await settled();
  assert.deepEqual(heard, ['a', 'b', 'c']);
});

test('what can not be read is read a second later, and said', async () => {
  const log = new Log();
  const { feed, clock, failures } = await fedBy(log);
  const { heard, listener } = ear();
  using _ = await feed.listen(null, listener);
  const failure = new Error('the disk is gone');
  log.pause = async () => {
    throw failure;
  };
  log.append('a');
  publish(feed, log, 'b');
  await settled();
  await clock.advance(1_000);
  assert.deepEqual([heard, failures], [[], [failure, failure]]);
  log.pause = async () => undefined;
  await clock.advance(1_000);
  assert.deepEqual([heard, failures.length], [['a', 'b'], 2]);
});

test('when it is closed it reads no more, and says nothing of what it could not read', async () => {
  const log = new Log();
  const { feed, clock, failures } = await fedBy(log);
  using _ = await feed.listen(null, () => undefined);
  log.pause = async () => {
    throw new Error('the disk is gone');
  };
  log.append('a');
  publish(feed, log, 'b');
  await settled();
  feed[Symbol.dispose]();
  const reads = log.reads;
  await clock.advance(10_000);
  assert.deepEqual([log.reads, failures.length], [reads, 1]);
});

test('whoever comes back whenever, while others write: all is heard in order, and once', async () => {
  const turns = fc.array(fc.nat(3), { minLength: 5, maxLength: 25 });
  await fc.assert(
    fc.asyncProperty(
      turns,
      turns,
      fc.array(fc.nat(6), { maxLength: 6 }),
      async (writing, reading, listeners) => {
        const log = new Log();
        const feed = await feedOf(log);
        let reads = 0;
        const wait = async (count: number): Promise<void> => {
          for (let i = 0; i < count; i++) await nextTurn();
        };
        log.pause = () => wait(reading[reads++ % reading.length] ?? 0);
        publish(feed, log, 'start');
        const all = ['start', ...writing.map((_, i) => `e${i}`)];
        const ears = listeners.map(() => ear());
        const coming = listeners.map(async (after, i) => {
          await wait(after);
          const { heard, ids, listener } = ears[i] as ReturnType<typeof ear>;
          // It goes away in the midst, and comes back with the last id that it has.
          const first = await feed.listen('1.0', listener);
          await wait(after);
          first[Symbol.dispose]();
          heard.unshift('start');
          await feed.listen(ids.at(-1) ?? '1.0', listener);
        });
        const writers = writing.map(async (turnsLeft, i) => {
          await wait(i);
          const id = log.append(`e${i}`);
          // The commit is made; that it is takes its time to be known here.
          await wait(turnsLeft);
          feed.publish([{ name: `e${i}` }], id);
        });
        await Promise.all([...coming, ...writers]);
        const isComplete = () => ears.every(({ heard }) => heard.length >= all.length);
        await until(isComplete);
        await settled();
        for (const { heard } of ears) assert.deepEqual(heard, all);
      },
    ),
    { numRuns: 100 },
  );
});
