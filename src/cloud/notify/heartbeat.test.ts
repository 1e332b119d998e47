import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Result } from './deliver/index.ts';
import { FakeClock } from './fixtures/fake-clock.ts';
import { answers, HANGS, Receiver } from './fixtures/receiver.ts';
import { Heartbeat } from './heartbeat.ts';

test('it beats at once and then at a fixed distance, also after a beat that failed', async () => {
  await using receiver = await Receiver.start(answers(500));
  const clock = new FakeClock();
  const options = { url: receiver.url, everyMs: 60_000, clock, isWell: async () => true };
  await using _ = new Heartbeat(options);
  assert.deepEqual([await clock.next(), await clock.next()], [60_000, 120_000]);
  await receiver.until(3);
});

test('a control plane that is not well, or can not say so, is silent', async () => {
  await using receiver = await Receiver.start();
  const clock = new FakeClock();
  const states = [
    async () => true,
    async () => false,
    () => Promise.reject(new Error('no')),
    async () => true,
  ];
  const beats: (Result | null)[] = [];
  const isWell = () => states.shift()?.() ?? Promise.resolve(false);
  const onBeat = (result: Result | null) => void beats.push(result);
  await using _ = new Heartbeat({ url: receiver.url, everyMs: 1000, clock, isWell, onBeat });
  for (let i = 0; i < 4; i++) await clock.next();
  assert.deepEqual(
    beats.slice(0, 4).map((beat) => beat?.ok ?? null),
    [true, null, null, true],
  );
  assert.equal(receiver.received.length, 2);
});

test('it ends in the middle of a beat, and leaves nothing behind', async () => {
  await using receiver = await Receiver.start(HANGS);
  const clock = new FakeClock();
  const isWell = async () => true;
  const heart = new Heartbeat({ url: receiver.url, everyMs: 1000, clock, isWell, timeoutMs: 60_000 });
  await receiver.until(1);
  await heart[Symbol.asyncDispose]();
  assert.equal(clock.timers, 0);
});
