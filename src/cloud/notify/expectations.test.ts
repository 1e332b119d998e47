import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunRecord } from '../store/index.ts';
import { logEventOf } from './event.ts';
import { type Expectation, Expectations } from './expectations.ts';
import { endEvent, runEvent } from './fixtures/events.ts';
import { FakeClock } from './fixtures/fake-clock.ts';

const BOTH: Expectation = { begun_within_ms: 300_000, ended_within_ms: 60_000 };

/** Expectations whose looks are taken at once, or when the test wants them to be. */
class Bench implements Disposable {
  readonly clock = new FakeClock(0);
  readonly looks: (() => readonly object[])[] = [];
  readonly expectations: Expectations;

  constructor(expectation: Expectation | null = BOTH) {
    this.expectations = new Expectations({
      clock: this.clock,
      expectOf: () => expectation,
      observe: (look) => void this.looks.push(look),
    });
  }

  see(event: object): this {
    const known = logEventOf(event);
    assert.ok(known?.kind === 'run');
    this.expectations.seen(known, this.clock.nowMs());
    return this;
  }

  async pass(ms: number): Promise<void> {
    const untilMs = this.clock.nowMs() + ms;
    using _ = this.clock.at(untilMs, () => {});
    while (this.clock.nowMs() < untilMs) await this.clock.next();
  }

  get seen(): object[] {
    return this.looks.splice(0).flatMap((look) => look());
  }

  [Symbol.dispose](): void {
    this.expectations[Symbol.dispose]();
    assert.equal(this.clock.timers, 0);
  }
}

test('a run that has not begun so long after it was due is late', async () => {
  using bench = new Bench();
  bench.see(runEvent('r1', { due_ms: 1000 })).see(runEvent('r1', { state: 'starting', due_ms: 1000 }));
  assert.equal(await bench.clock.next(), 301_000);
  assert.deepEqual(bench.seen, [
    { job: 'shop/report', kind: 'late', cause: 'not begun within 5 min', runKey: 'r1', atMs: 301_000 },
  ]);
});

test('what is made up for is due when it is asked for', async () => {
  using bench = new Bench();
  bench.see(runEvent('r1', { due_ms: -1e12, cause: 'backfill' }));
  assert.equal(await bench.clock.next(), 300_000);
});

test('a run that goes on for so long is too long, whatever its host is', async () => {
  using bench = new Bench();
  bench.see(runEvent('r1')).see(runEvent('r1', { state: 'running', started_ms: 7000 }));
  bench.see(runEvent('r1', { state: 'unreachable' }));
  assert.equal(await bench.clock.next(), 67_000);
  assert.deepEqual(bench.seen, [
    { job: 'shop/report', kind: 'too_long', cause: 'not ended within 1 min', runKey: 'r1', atMs: 67_000 },
  ]);
});

test('what was so when the time was up and is not any more is not told', async () => {
  using bench = new Bench();
  bench.see(runEvent('r1'));
  await bench.clock.next();
  bench.see(runEvent('r1', { state: 'running', started_ms: 300_000 }));
  assert.deepEqual(bench.seen, []);
  await bench.clock.next();
  bench.see(endEvent('r1', 'succeeded'));
  assert.deepEqual(bench.seen, []);
});

test('each attempt has its time, and one that has begun is never late', async () => {
  using bench = new Bench();
  bench.see(runEvent('r1')).see(runEvent('r1', { state: 'running', started_ms: 0 }));
  bench.see(runEvent('r1', { attempt: 2 }));
  await bench.pass(390_000);
  assert.deepEqual(bench.seen, []);
  bench.see(runEvent('r1', { state: 'running', attempt: 2, started_ms: 390_000 }));
  await bench.pass(59_999);
  assert.deepEqual(bench.seen, []);
  await bench.pass(1);
  assert.equal(bench.seen.length, 1);
});

test('there is one timer at most, and nothing is kept of what has ended or of what nobody expects', () => {
  using bench = new Bench();
  for (let i = 0; i < 100; i++) bench.see(runEvent(`r${i}`));
  assert.deepEqual([bench.expectations.size, bench.clock.timers], [100, 1]);
  for (let i = 0; i < 100; i++) bench.see(endEvent(`r${i}`, 'failed'));
  assert.equal(bench.expectations.size, 0);
  using none = new Bench(null);
  none.see(runEvent('r1')).see(runEvent('r1', { state: 'running', started_ms: 0 }));
  using begun = new Bench({ begun_within_ms: 1000, ended_within_ms: null });
  begun.see(runEvent('r1', { state: 'running', started_ms: 0 }));
  assert.deepEqual([none.expectations.size, begun.expectations.size], [0, 0]);
});

test('after a restart it goes on with the runs that have not ended', async () => {
  using bench = new Bench();
  const record = (key: string, more: object) =>
    ({
      ...{ key, jobId: 'id-report', job: 'report', project: 'shop', cause: { kind: 'api', ref: null } },
      ...{ dueMs: null, queuedMs: 10, state: 'queued', attempt: 1, startedMs: null },
      ...more,
    }) as RunRecord;
  bench.expectations.begin([
    record('waits', {}),
    record('again', { attempt: 2 }),
    record('runs', { state: 'running', startedMs: 20 }),
    record('silent', { state: 'unreachable', startedMs: 30 }),
    record('nobody', { job: null, jobId: null }),
  ]);
  await bench.clock.next();
  await bench.clock.next();
  await bench.clock.next();
  assert.deepEqual(
    bench.seen.map((each) =>
      JSON.stringify(each)
        .match(/"(late|too_long)".*"runKey":"(\w+)"/)
        ?.slice(1),
    ),
    [
      ['too_long', 'runs'],
      ['too_long', 'silent'],
      ['late', 'waits'],
    ],
  );
});
