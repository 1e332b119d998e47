import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Channel } from './config.ts';
import type { Deliver } from './deliver/index.ts';
import { resultOf } from './deliver/index.ts';
import { FakeClock } from './fixtures/fake-clock.ts';
import { MemoryOutbox } from './fixtures/memory-outbox.ts';
import { noticeFixture } from './fixtures/notices.ts';
import { type Answer, HANGS, OK, Receiver } from './fixtures/receiver.ts';
import { Outbox, type OutboxOptions } from './outbox.ts';
import type { DeliveryLog } from './outbox-store.ts';
import { RETRY_AFTER_MS } from './retry.ts';
import { deliveriesOf } from './route.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

function webhook(name: string, url = 'http://127.0.0.1:1'): Channel {
  return { kind: 'webhook', name, on: ['failed'], projects: null, url, secret: SECRET };
}

/** An outbox over a store; what is told as an error ends the test, but where it is expected. */
class Bench implements AsyncDisposable {
  readonly clock: FakeClock;
  readonly store: MemoryOutbox;
  readonly errors: unknown[] = [];
  readonly outbox: Outbox;
  readonly #channels: readonly Channel[];

  constructor(channels: readonly Channel[], options: Partial<OutboxOptions> = {}, former?: Bench) {
    this.clock = former?.clock ?? new FakeClock(1_700_000_000_000);
    this.store = former?.store ?? new MemoryOutbox();
    this.#channels = channels;
    const onError = (error: unknown) => void this.errors.push(error);
    const { clock, store } = this;
    this.outbox = new Outbox({ clock, store, channels: () => channels, onError, ...options });
  }

  async add(notice: string): Promise<void> {
    await this.store.add(deliveriesOf(noticeFixture({ id: notice }), this.#channels, this.clock.nowMs()));
    this.outbox.wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.outbox[Symbol.asyncDispose]();
    assert.equal(this.clock.timers, 0, 'no timer is left');
  }
}

const allOver = (logs: DeliveryLog[]) => logs.every(({ state }) => state !== 'waiting');
const attempted = (times: number) => (logs: DeliveryLog[]) =>
  logs.every(({ attempts }) => attempts.length >= times);

function failsAtFirst(times: number): Answer {
  return (response, _, count) => response.writeHead(count <= times ? 503 : 204).end();
}

test('what a receiver refuses comes again, later each time, under the same id and with the same body', async () => {
  await using receiver = await Receiver.start(failsAtFirst(3));
  await using bench = new Bench([webhook('ops', receiver.url)]);
  await bench.add('n1');
  for (let made = 1; made <= 3; made++) {
    await bench.store.until(attempted(made));
    await bench.clock.next();
  }
  await bench.store.until(allOver);
  const [log = assert.fail()] = bench.store.logs;
  assert.deepEqual(
    [log.state, log.attempts.map(({ status }) => status)],
    ['delivered', [503, 503, 503, 204]],
  );
  const times = log.attempts.map(({ atMs }) => atMs);
  assert.deepEqual(
    times.slice(1).map((ms, i) => ms - (times[i] ?? 0)),
    RETRY_AFTER_MS.slice(0, 3),
  );
  const { received } = receiver;
  assert.deepEqual(new Set(received.map(({ headers }) => headers['webhook-id'])), new Set([log.id]));
  assert.equal(new Set(received.map(({ body }) => body)).size, 1);
  const stamps = received.map(({ headers }) => Number(headers['webhook-timestamp']) * 1000);
  assert.deepEqual(stamps, times);
});

test('after seven attempts it is given up, and the log says how each one went', async () => {
  await using receiver = await Receiver.start(failsAtFirst(100));
  await using bench = new Bench([webhook('ops', receiver.url)]);
  await bench.add('n1');
  for (let made = 1; made <= 6; made++) {
    await bench.store.until(attempted(made));
    await bench.clock.next();
  }
  await bench.store.until(allOver);
  const { items } = await bench.store.list({});
  assert.deepEqual([items[0]?.state, items[0]?.attempts.length], ['given_up', 7]);
  assert.match(items[0]?.attempts.at(-1)?.detail ?? '', /^HTTP 503/);
});

test('a restart loses nothing, and what was under way comes once more under the same id', async () => {
  let answer: Answer = HANGS;
  await using receiver = await Receiver.start((...all) => answer(...all));
  const first = new Bench([webhook('ops', receiver.url)]);
  await first.add('n1');
  await first.add('n2');
  await receiver.until(1);
  await first[Symbol.asyncDispose]();
  assert.deepEqual(
    first.store.logs.map(({ attempts }) => attempts.length),
    [0, 0],
  );
  answer = OK;
  await using second = new Bench([webhook('ops', receiver.url)], {}, first);
  second.outbox.wake();
  await second.store.until(allOver);
  const [one, two] = second.store.logs.map(({ id }) => id);
  assert.deepEqual(
    receiver.received.map(({ headers }) => headers['webhook-id']),
    [one, one, two],
  );
});

test('a receiver that hangs holds up nobody but itself', async () => {
  await using hangs = await Receiver.start(HANGS);
  await using works = await Receiver.start();
  const channels = [webhook('hangs', hangs.url), webhook('works', works.url)];
  await using bench = new Bench(channels, { timeoutMs: 60_000 });
  for (let i = 0; i < 20; i++) await bench.add(`n${i}`);
  await bench.store.until((logs) => allOver(logs.filter(({ channel }) => channel === 'works')));
  assert.deepEqual([works.received.length, hangs.received.length], [20, 1]);
});

test('a receiver that hangs is tried again', async () => {
  await using receiver = await Receiver.start((...all) => (all[2] === 1 ? HANGS : OK)(...all));
  await using bench = new Bench([webhook('ops', receiver.url)], { timeoutMs: 2_000 });
  await bench.add('n1');
  await bench.store.until(attempted(1));
  await bench.clock.next();
  await bench.store.until(allOver);
  const details = bench.store.logs[0]?.attempts.map(({ detail }) => detail);
  assert.deepEqual(details, ['no answer within 2000 ms', 'taken']);
});

test('never more than eight are under way, and one of each channel, in the order in which they came', async () => {
  const underWay = new Map<string, number>();
  const order = new Map<string, string[]>();
  let most = 0;
  const slow: Deliver = async ({ name }, { notice }) => {
    underWay.set(name, (underWay.get(name) ?? 0) + 1);
    order.set(name, [...(order.get(name) ?? []), notice.id]);
    most = Math.max(
      most,
      [...underWay.values()].reduce((a, b) => a + b),
    );
    assert.equal(underWay.get(name), 1);
    await new Promise((resolve) => setImmediate(resolve));
    underWay.set(name, 0);
    return resultOf({ ok: true, status: 200, detail: '' }, []);
  };
  const channels = Array.from({ length: 12 }, (_, i) => webhook(`c${i}`));
  await using bench = new Bench(channels, { deliver: slow });
  const notices = Array.from({ length: 10 }, (_, i) => `n${i}`);
  for (const notice of notices) await bench.add(notice);
  await bench.store.until(allOver);
  assert.equal(most, 8);
  for (const { name } of channels) assert.deepEqual(order.get(name), notices);
});

test('a channel that is gone ends its deliveries', async () => {
  await using bench = new Bench([webhook('ops')], { channels: () => [] });
  await bench.add('n1');
  await bench.store.until(allOver);
  const [log] = bench.store.logs;
  assert.deepEqual(
    [log?.state, log?.attempts[0]?.detail],
    ['given_up', "there is no channel 'ops' any more"],
  );
});

test('a store that fails is tried again, and what was sent meanwhile is not sent twice', async () => {
  await using receiver = await Receiver.start();
  await using bench = new Bench([webhook('ops', receiver.url)]);
  bench.store.failing.set('due', 1).set('settle', 2);
  await bench.add('n1');
  for (let i = 0; i < 3; i++) await bench.clock.next();
  await bench.store.until(allOver);
  assert.deepEqual(
    bench.errors.map((error) => (error instanceof Error ? error.message : '')),
    ["the store can't due", "the store can't settle", "the store can't settle"],
  );
  assert.equal(receiver.received.length, 1);
});
