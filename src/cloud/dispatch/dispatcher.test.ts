import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { SimulatedHost } from '../fixtures/simulated-host.ts';
import { settled, TestClock, until } from '../fixtures/test-clock.ts';
import { definitionOf } from '../jobs/index.ts';
import { type JobId, type RunCommit, type RunKey, type RunRecord, wireKeyOf } from '../store/index.ts';
import { MemoryRuns } from './fixtures/memory-runs.ts';
import { Commits, Dispatcher, HostRefusal, QueueFull, type RunRequest, specOf } from './index.ts';

const SECOND = 1_000;
const SILENT = 15 * SECOND;
const LOST = 300 * SECOND;

/** A dispatcher over runs in memory, with a commit that can be held back. */
class Bench implements Disposable {
  readonly clock: TestClock;
  readonly runs: MemoryRuns;
  readonly warnings: string[] = [];
  readonly events: unknown[] = [];
  readonly dispatcher: Dispatcher;
  /** What the store is asked waits for this. */
  gate: Promise<void> = Promise.resolve();
  failures = 0;
  maxQueued = 1_000;

  constructor(clock = new TestClock(1_000_000), runs = new MemoryRuns()) {
    this.clock = clock;
    this.runs = runs;
    const commits = new Commits({
      write: (commit) => this.#write(commit),
      find: async (keys) => keys.flatMap((key) => this.runs.records.get(key) ?? []),
      nowMs: () => clock.nowMs(),
      published: (events) => void this.events.push(...events),
      failed: () => undefined,
      isFinal: () => false,
      lost: (error) => assert.fail(error as Error),
    });
    this.dispatcher = new Dispatcher({
      clock,
      commits,
      random: () => 0,
      silentAfterMs: SILENT,
      lostAfterMs: LOST,
      maxQueued: this.maxQueued,
      isKnown: async (key) => this.runs.isKnown(key),
      ended: () => ({ runs: [], arrivals: [] }),
      warn: (message) => void this.warnings.push(message),
    });
  }

  async #write(commit: RunCommit) {
    await this.gate;
    if (this.failures-- > 0) throw new Error('the store fails');
    return this.runs.commit(commit);
  }

  async host(id = 'host-a', more: { capacity?: number; labels?: Record<string, string> } = {}) {
    const host = new SimulatedHost({ clock: this.clock, id, ...more });
    host.connect(this.dispatcher);
    await settled();
    return host;
  }

  async add(raw: object = {}, more: Partial<RunRequest> = {}): Promise<RunKey> {
    const request = this.request(raw, more);
    assert.equal(await this.dispatcher.add(request), true);
    await settled();
    return request.key;
  }

  request(raw: object = {}, more: Partial<RunRequest> = {}): RunRequest {
    const what = 'class' in raw ? {} : { argv: ['true'] };
    const definition = definitionOf('p', { pool: 'main', ...what, ...raw });
    const nowMs = this.clock.nowMs();
    return {
      ...{ key: randomUUID() as RunKey, jobId: JOB, job: 'job', jobVersion: 1, project: 'p', pool: 'main' },
      spec: specOf(definition),
      cause: { kind: 'api', ref: null },
      ...{ priority: definition.priority, queuedMs: nowMs, dueMs: null, notBeforeMs: nowMs },
      ...more,
    };
  }

  run(key: RunKey): RunRecord {
    const run = this.runs.records.get(key);
    assert.ok(run !== undefined, `there is no run ${key}`);
    return run;
  }

  /** State and, where it has ended, outcome. */
  stand(key: RunKey): string {
    const { state, outcome } = this.run(key);
    return outcome === null ? state : `${state} ${outcome}`;
  }

  [Symbol.dispose](): void {
    this.dispatcher[Symbol.dispose]();
  }
}

const JOB = '11111111-1111-4111-8111-111111111111' as JobId;
const AGAIN = {
  delivery: 'at-least-once',
  on_host_loss: 'rerun',
  retry: { lost_host: { max: 2, backoff: '1s' } },
};

test('a run goes to a host, begins, ends there, and is freed', async () => {
  using bench = new Bench();
  const host = await bench.host();
  const key = await bench.add();
  assert.deepEqual([bench.stand(key), bench.run(key).hostId], ['running', 'host-a']);
  assert.equal(host.variables.get(key)?.ROCKSY_ATTEMPT, '1');
  host.end(key, 'succeeded', { result: { rows: 3 } });
  await settled();
  assert.deepEqual([bench.stand(key), bench.run(key).result], ['ended succeeded', '{"rows":3}']);
  assert.deepEqual(
    host.asked.map(({ name }) => name),
    ['run', 'free'],
  );
  assert.equal(bench.dispatcher.activeCount, 0);
});

test('a failure is tried again later, under another key, and both attempts are kept', async () => {
  using bench = new Bench();
  const host = await bench.host();
  const key = await bench.add({ retry: { failure: { max: 1, backoff: '10s' } } });
  host.end(key, 'failed');
  await settled();
  assert.equal(bench.stand(key), 'queued');
  assert.deepEqual(bench.dispatcher.waitsFor(key), {
    for: 'time',
    untilMs: bench.clock.nowMs() + 5 * SECOND,
    because: null,
  });
  await bench.clock.advance(5 * SECOND);
  const second = wireKeyOf(key, 2);
  assert.deepEqual(host.running, [second]);
  assert.equal(host.variables.get(second)?.ROCKSY_ATTEMPT, '2');
  host.end(second, 'failed');
  await settled();
  assert.equal(bench.stand(key), 'ended failed');
  assert.deepEqual(
    bench.runs.attempts.map(({ attempt, outcome, wireKey }) => [attempt, outcome, wireKey]),
    [[1, 'failed', key]],
  );
  assert.deepEqual([...host.freed], [key, second]);
});

test('a host that has no room for now is asked again, and says so meanwhile', async () => {
  using bench = new Bench();
  const host = await bench.host();
  let refusals = 2;
  host.manner = ({ name }) =>
    name === 'run' && refusals-- > 0 ? new HostRefusal('queue_full', 'too many wait') : 'ordinary';
  const key = await bench.add();
  assert.equal(bench.stand(key), 'queued');
  assert.deepEqual(bench.dispatcher.waitsFor(key), {
    for: 'time',
    untilMs: bench.clock.nowMs() + SECOND,
    because: 'host-a: too many wait',
  });
  await bench.clock.advance(2 * SECOND);
  assert.equal(bench.stand(key), 'running');
  assert.equal(host.begun.get(key), 1);
});

test('what a host refuses for good has failed', async () => {
  using bench = new Bench();
  const host = await bench.host();
  host.manner = () => new HostRefusal('bad_request', 'there is no such class');
  const key = await bench.add();
  assert.deepEqual(
    [bench.stand(key), bench.run(key).error],
    ['ended failed', 'host-a: there is no such class'],
  );
});

test('a run that its host has been told to forget is lost, and does not begin anew', async () => {
  using bench = new Bench();
  const host = await bench.host();
  const request = bench.request();
  host.freed.add(request.key);
  await bench.dispatcher.add(request);
  await settled();
  assert.equal(bench.stand(request.key), 'ended lost');
  assert.equal(host.begun.size, 0);
});

test('a silent host’s runs are unreachable, and have their true outcome when it is back', async () => {
  using bench = new Bench();
  const host = await bench.host();
  const [ends, goesOn] = [await bench.add(), await bench.add()];
  host.goAway();
  await bench.clock.advance(SILENT - 1);
  assert.equal(bench.stand(ends), 'running', 'a short break is none');
  await bench.clock.advance(1);
  assert.deepEqual([bench.stand(ends), bench.stand(goesOn)], ['unreachable', 'unreachable']);
  host.end(ends, 'failed', { code: 7 });
  await bench.clock.advance(LOST);
  assert.equal(bench.stand(goesOn), 'unreachable', 'what runs once waits for its host');
  host.connect(bench.dispatcher);
  await settled();
  assert.deepEqual([bench.stand(ends), bench.run(ends).code], ['ended failed', 7]);
  assert.equal(bench.stand(goesOn), 'running');
  assert.deepEqual([...host.begun.values()], [1, 1]);
  assert.deepEqual([...host.freed], [ends]);
});

test('a host that comes back without what it had never to have begun gets it again; what it had begun is lost', async () => {
  using bench = new Bench();
  const host = await bench.host();
  const begun = await bench.add();
  host.manner = () => 'unheard';
  const unheard = await bench.add();
  assert.equal(bench.stand(unheard), 'starting');
  host.goAway();
  host.loseMemory();
  host.manner = () => 'ordinary';
  host.connect(bench.dispatcher);
  await settled();
  assert.deepEqual([bench.stand(begun), bench.stand(unheard)], ['ended lost', 'running']);
});

test('whoever adds a run that somebody else is just adding hears of it when it is in the store', async () => {
  using bench = new Bench();
  const gate = Promise.withResolvers<void>();
  bench.gate = gate.promise;
  const request = bench.request();
  const first = bench.dispatcher.add(request);
  let second: boolean | null = null;
  void bench.dispatcher.add(request).then((isNew) => {
    assert.ok(bench.runs.records.has(request.key));
    second = isNew;
  });
  await settled();
  assert.equal(second, null);
  gate.resolve();
  assert.equal(await first, true);
  await settled();
  assert.equal(second, false);
});

test('an answer that was lost does not start a run twice', async () => {
  using bench = new Bench();
  const host = await bench.host();
  host.manner = () => 'no-answer';
  const key = await bench.add();
  assert.deepEqual([bench.stand(key), host.begun.get(key)], ['starting', 1]);
  host.goAway();
  await bench.clock.advance(SILENT);
  assert.equal(bench.stand(key), 'unreachable');
  host.manner = () => 'ordinary';
  host.connect(bench.dispatcher);
  await settled();
  assert.deepEqual([bench.stand(key), host.begun.get(key)], ['running', 1]);
});

for (const [policy, expected] of [
  ['rerun', 'running'],
  ['fail', 'ended lost'],
  ['wait', 'unreachable'],
] as const) {
  test(`a host that is lost, on_host_loss: ${policy}`, async () => {
    using bench = new Bench();
    const [a, b] = [await bench.host('a'), await bench.host('b', { labels: { spare: 'yes' } })];
    b.goAway();
    const key = await bench.add({ ...AGAIN, on_host_loss: policy });
    b.connect(bench.dispatcher);
    a.goAway();
    await bench.clock.advance(LOST + SECOND);
    assert.equal(bench.stand(key), expected);
    if (policy !== 'rerun') return;
    const second = wireKeyOf(key, 2);
    assert.deepEqual(b.running, [second]);
    // The first one was only away: it is ended, and what it says changes nothing.
    a.connect(bench.dispatcher);
    await settled();
    assert.deepEqual(a.running, []);
    b.end(second, 'succeeded');
    await settled();
    assert.deepEqual([bench.stand(key), bench.run(key).attempt], ['ended succeeded', 2]);
    a.goAway();
    a.connect(bench.dispatcher);
    await settled();
    assert.deepEqual([...a.freed], [key]);
  });
}

test('a run that has not begun is cancelled at once', async () => {
  using bench = new Bench();
  const key = await bench.add();
  assert.equal(bench.dispatcher.cancel(key, 'ann'), true);
  await settled();
  assert.deepEqual(
    [bench.stand(key), bench.run(key).error, bench.run(key).cancelRequestedBy],
    ['ended cancelled', 'cancelled by ann', 'ann'],
  );
  assert.equal(bench.dispatcher.cancel(key, 'ann'), false);
  const host = await bench.host();
  assert.deepEqual(host.asked, []);
});

test('a run that is cancelled ends by its host’s word', async () => {
  using bench = new Bench();
  const host = await bench.host();
  const key = await bench.add();
  bench.dispatcher.cancel(key, 'ann');
  await settled();
  assert.equal(bench.stand(key), 'ended cancelled');
  assert.deepEqual([...host.freed], [key]);
});

test('what is cancelled while it starts never starts, or is ended', async () => {
  using bench = new Bench();
  const host = await bench.host();
  const request = bench.request();
  const added = bench.dispatcher.add(request);
  await Promise.resolve();
  bench.dispatcher.cancel(request.key, 'ann');
  await added;
  await settled();
  assert.equal(bench.stand(request.key), 'ended cancelled');
  assert.deepEqual(host.running, []);
});

for (const state of ['starting', 'running', 'unreachable'] as const) {
  test(`a cancelled run whose host says nothing while it is ${state} is over within kill_after and two seconds`, async () => {
    using bench = new Bench();
    const host = await bench.host();
    if (state === 'starting') host.manner = () => 'unheard';
    const key = await bench.add({ kill_after: '5s' });
    if (state === 'running') host.manner = () => 'unheard';
    if (state === 'unreachable') {
      host.goAway();
      await bench.clock.advance(SILENT);
    }
    assert.equal(bench.stand(key), state);
    const fromMs = bench.clock.nowMs();
    // To want it again and again gives it no more time.
    for (let i = 0; i < 8; i++) {
      bench.dispatcher.cancel(key, 'ann');
      await bench.clock.advance(SECOND);
    }
    assert.equal(bench.stand(key), 'ended lost');
    assert.ok(Number(bench.run(key).endedMs) <= fromMs + 7 * SECOND);
    // Whatever it still does there is ended when it is back.
    host.manner = () => 'ordinary';
    host.goAway();
    host.connect(bench.dispatcher);
    await settled();
    assert.deepEqual(host.running, []);
  });
}

test('a run that has not begun in time is over, and one that has been tried before is not', async () => {
  using bench = new Bench();
  const key = await bench.add({ queue_timeout: '10s' });
  await bench.clock.advance(9 * SECOND);
  assert.equal(bench.stand(key), 'queued');
  await bench.clock.advance(SECOND);
  assert.equal(bench.stand(key), 'ended timed_out');
  const host = await bench.host();
  const retried = await bench.add({ queue_timeout: '10s', retry: { failure: { max: 1, backoff: '60s' } } });
  host.end(retried, 'failed');
  await bench.clock.advance(20 * SECOND);
  assert.equal(bench.stand(retried), 'queued');
});

test('so many at a time: of a job, of a key, and on a host', async () => {
  using bench = new Bench();
  const [a, b] = [await bench.host('a'), await bench.host('b')];
  const count = (): number => a.running.length + b.running.length;
  const ofJob = [];
  for (let i = 0; i < 3; i++) ofJob.push(await bench.add({ concurrency: 2 }));
  assert.equal(count(), 2);
  const waiting = ofJob[2] as RunKey;
  assert.deepEqual(bench.dispatcher.waitsFor(waiting), {
    for: 'limit',
    limit: { name: `job ${JOB}`, max: 2 },
    taken: 2,
  });
  for (const host of [a, b]) for (const key of host.running) host.end(key, 'succeeded');
  await settled();
  assert.deepEqual([...a.running, ...b.running], [waiting]);
  for (const host of [a, b]) for (const key of host.running) host.end(key, 'succeeded');

  const other = '22222222-2222-4222-8222-222222222222' as JobId;
  const perKey = { class: 'Sync', concurrency: { per_key: 1, key: '/0' } };
  const ofKey = (shop: string): Promise<RunKey> => bench.add({ ...perKey, params: [shop] }, { jobId: other });
  const [first, second, third] = [await ofKey('x'), await ofKey('x'), await ofKey('y')];
  assert.deepEqual(
    [first, second, third].map((key) => bench.stand(key)),
    ['running', 'queued', 'running'],
  );
  for (const host of [a, b]) for (const key of host.running) host.end(key, 'succeeded');
  await settled();
  assert.equal(bench.stand(second), 'running');
  for (const host of [a, b]) for (const key of host.running) host.end(key, 'succeeded');

  for (let i = 0; i < 3; i++) await bench.add({ concurrency: { per_host: 1 } });
  assert.deepEqual([a.running.length, b.running.length], [1, 1]);
});

test('of what waits, the higher priority goes first, and of the same the older', async () => {
  using bench = new Bench();
  const low = await bench.add({ priority: -1 });
  await bench.clock.advance(1);
  const older = await bench.add();
  await bench.clock.advance(1);
  const [newer, high] = [await bench.add(), await bench.add({ priority: 5 })];
  const host = await bench.host();
  assert.deepEqual(
    host.asked.map(({ key }) => key),
    [high, older, newer, low],
  );
});

test('a host is not asked to forget before the outcome is in the store, nor to begin before the run is', async () => {
  using bench = new Bench();
  const host = await bench.host();
  const hold = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    bench.gate = promise;
    return resolve;
  };
  let release = hold();
  const request = bench.request();
  const added = bench.dispatcher.add(request);
  await settled();
  assert.deepEqual(host.asked, []);
  release();
  assert.equal(await added, true);
  await settled();
  release = hold();
  host.end(request.key, 'succeeded');
  // It tells it again: that it is over here is on its way, and it must not be forgotten yet.
  host.goAway();
  host.connect(bench.dispatcher);
  await settled();
  assert.equal(bench.stand(request.key), 'running');
  assert.equal(bench.dispatcher.activeCount, 1, 'as the store has it');
  const askedFor = (): string => host.asked.map(({ name }) => name).join(' ');
  assert.equal(askedFor(), 'run');
  release();
  await settled();
  assert.equal(bench.stand(request.key), 'ended succeeded');
  assert.equal(bench.dispatcher.activeCount, 0);
  assert.equal(askedFor(), 'run free');
});

test('a key that is there already starts nothing, though there is a host with room', async () => {
  using bench = new Bench();
  const host = await bench.host();
  const key = await bench.add();
  assert.equal(await bench.dispatcher.add(bench.request({}, { key })), false, 'it goes on');
  host.end(key, 'succeeded');
  // Not even in the moment in which its outcome is on its way.
  assert.equal(await bench.dispatcher.add(bench.request({}, { key })), false);
  await settled();
  assert.equal(bench.stand(key), 'ended succeeded');
  await bench.clock.advance(1);
  assert.equal(await bench.dispatcher.add(bench.request({}, { key })), false, 'it has ended');
  await settled();
  assert.deepEqual([bench.stand(key), host.begun.get(key)], ['ended succeeded', 1]);
  assert.equal(bench.dispatcher.activeCount, 0);
  assert.equal(host.asked.filter(({ name }) => name === 'run').length, 1);
});

test('a key that is there already starts nothing, though the store failed while it was asked', async () => {
  using bench = new Bench();
  const host = await bench.host();
  const key = await bench.add();
  host.end(key, 'succeeded');
  await bench.clock.advance(1);
  bench.failures = 1;
  assert.equal(await bench.dispatcher.add(bench.request({}, { key })), false);
  bench.failures = 1;
  await bench.clock.advance(1);
  const fresh = bench.request();
  assert.equal(await bench.dispatcher.add(fresh), true);
  await until(() => bench.runs.records.has(fresh.key));
  await settled();
  assert.deepEqual([bench.stand(key), bench.stand(fresh.key)], ['ended succeeded', 'running']);
  assert.equal(host.begun.get(key), 1);
});

test('too many are refused, and nothing of them stays', async () => {
  using bench = new Bench();
  for (let i = 0; i < 1_000; i++) void bench.dispatcher.add(bench.request());
  await assert.rejects(bench.dispatcher.add(bench.request()), QueueFull);
  await settled();
  assert.deepEqual([bench.runs.records.size, bench.dispatcher.queuedCount], [1_000, 1_000]);
});

test('who leads next goes on where the last one was, and starts nothing twice', async () => {
  const clock = new TestClock(1_000_000);
  const runs = new MemoryRuns();
  const host = new SimulatedHost({ clock });
  const keys: Record<string, RunKey> = {};
  {
    using bench = new Bench(clock, runs);
    host.connect(bench.dispatcher);
    keys.running = await bench.add({ concurrency: 2 });
    keys.ended = await bench.add({ concurrency: 2 });
    keys.waiting = await bench.add({ concurrency: 2 });
    host.goAway();
  }
  host.end(keys.ended as RunKey, 'succeeded');
  using bench = new Bench(clock, runs);
  host.slotOf(bench.dispatcher);
  bench.dispatcher.resume([...runs.records.values()].filter(({ state }) => state !== 'ended'));
  await settled();
  assert.equal(bench.dispatcher.waitsFor(keys.waiting as RunKey)?.for, 'limit', 'what runs somewhere counts');
  host.connect(bench.dispatcher);
  await settled();
  assert.deepEqual(
    [keys.running, keys.ended, keys.waiting].map((key) => bench.stand(key as RunKey)),
    ['running', 'ended succeeded', 'running'],
  );
  assert.deepEqual([...host.begun.values()], [1, 1, 1]);
});

test('a cancelled run whose leader went away is ended by the next one', async () => {
  const clock = new TestClock(1_000_000);
  const runs = new MemoryRuns();
  const host = new SimulatedHost({ clock });
  const keys: RunKey[] = [];
  {
    using bench = new Bench(clock, runs);
    host.connect(bench.dispatcher);
    keys.push(await bench.add(), await bench.add());
    host.manner = ({ name }) => (name === 'cancel' ? 'unheard' : 'ordinary');
    for (const key of keys) bench.dispatcher.cancel(key, 'ann');
    await settled();
    host.goAway();
  }
  host.manner = () => 'ordinary';
  using bench = new Bench(clock, runs);
  bench.dispatcher.resume([...runs.records.values()]);
  host.connect(bench.dispatcher);
  await settled();
  assert.deepEqual(
    keys.map((key) => bench.stand(key)),
    ['ended cancelled', 'ended cancelled'],
  );
  assert.deepEqual(host.running, []);
});

test('the runs of a host that was removed while nobody led are lost after a while', async () => {
  const clock = new TestClock(1_000_000);
  const runs = new MemoryRuns();
  const host = new SimulatedHost({ clock });
  let key: RunKey;
  {
    using bench = new Bench(clock, runs);
    host.connect(bench.dispatcher);
    key = await bench.add({ delivery: 'at-least-once', on_host_loss: 'fail' });
    host.goAway();
  }
  using bench = new Bench(clock, runs);
  bench.dispatcher.resume([...runs.records.values()]);
  await clock.advance(LOST);
  assert.equal(bench.stand(key), 'ended lost');
});

test('a request to begin that is overtaken by the host’s return is not sent after all', async () => {
  using bench = new Bench();
  const host = await bench.host('a');
  const { promise, resolve } = Promise.withResolvers<void>();
  bench.gate = promise;
  const request = bench.request(AGAIN);
  const added = bench.dispatcher.add(request);
  await settled();
  // It is placed, and the host knows nothing of it: it goes back to the queue, and to another host.
  host.goAway();
  host.connect(bench.dispatcher);
  host.goAway();
  const other = await bench.host('b');
  resolve();
  await added;
  await settled();
  assert.equal(bench.stand(request.key), 'running');
  host.connect(bench.dispatcher);
  await settled();
  const begun = (host.begun.get(request.key) ?? 0) + (other.begun.get(request.key) ?? 0);
  assert.equal(begun, 1);
});

test('of runs that nobody here waits for the ended are freed, the running ended, and strangers left alone', async () => {
  using bench = new Bench();
  const host = new SimulatedHost({ clock: bench.clock });
  const [over, stillRunning, stranger] = [bench.request(), bench.request(), bench.request()].map(
    ({ key }) => key,
  );
  assert.ok(over !== undefined && stillRunning !== undefined && stranger !== undefined);
  for (const key of [over, stillRunning]) bench.runs.known.add(key);
  for (const key of [over, stillRunning, stranger]) host.take(key);
  host.end(over, 'failed');
  host.connect(bench.dispatcher);
  await settled();
  assert.deepEqual(
    host.asked.map(({ name, key }) => [name, key]).toSorted(),
    [
      ['cancel', stillRunning],
      ['free', over],
    ].toSorted(),
  );
  assert.deepEqual(host.running, [stranger]);
  assert.deepEqual(bench.warnings, ['host host-a has a run that is not ours']);
});
