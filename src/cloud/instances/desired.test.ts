import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RunKey } from '../store/index.ts';
import {
  decide,
  freshMemory,
  type InstancesDefinition,
  type Memory,
  wantedFor,
  withEnd,
  withReading,
} from './desired.ts';
import type { InstanceRun } from './run.ts';

const COOL_DOWN_MS = 60_000;

function following(min: number, max: number, per = 100): InstancesDefinition {
  const backlog = { from: { command: ['x'] }, per, every_ms: 15_000, cool_down_ms: COOL_DOWN_MS };
  return { min, max, backlog };
}

function run(name: string, startedMs: number | null, isEnding = false): InstanceRun {
  return { key: name as RunKey, createdMs: startedMs ?? 0, startedMs, isEnding };
}

function read(memory: Memory, definition: InstancesDefinition, backlog: number, nowMs: number): Memory {
  return withReading(memory, definition, { ok: true, backlog }, nowMs);
}

const crash = (nowMs: number) => ({
  createdMs: nowMs,
  startedMs: nowMs,
  endedMs: nowMs,
  wasCancelled: false,
});

test('a number is reached at once, from below and from above', () => {
  const fixed = { min: 2, max: 2, backlog: null };
  const none = freshMemory([], 0);
  assert.deepEqual(decide(fixed, none, [], 0), { wanted: 2, start: 2, cancel: [], nextMs: null });
  const three = [run('a', 1), run('b', 3), run('c', 2)];
  assert.deepEqual(decide(fixed, freshMemory(three, 5), three, 5).cancel, ['b']);
});

test('the backlog divided by what one is good for, rounded up, is wanted, within bounds', () => {
  assert.deepEqual(
    [0, 1, 100, 101, 1e9].map((backlog) => wantedFor(following(0, 4), backlog)),
    [0, 1, 1, 2, 4],
  );
  assert.equal(wantedFor(following(1, 4), 0), 1);
});

test('more are started at once; fewer are ended when nothing of the cool-down has wanted more', () => {
  const definition = following(0, 8);
  let memory = read(freshMemory([], 0), definition, 400, 0);
  assert.equal(decide(definition, memory, [], 0).start, 4);
  const four = ['a', 'b', 'c', 'd'].map((name, i) => run(name, i));
  memory = read(memory, definition, 200, 15_000);
  // What was wanted until a moment ago holds for another minute.
  assert.deepEqual(decide(definition, memory, four, 15_000), {
    wanted: 4,
    start: 0,
    cancel: [],
    nextMs: 75_000,
  });
  memory = read(memory, definition, 0, 30_000);
  assert.deepEqual(decide(definition, memory, four, 74_999).cancel, []);
  assert.deepEqual(decide(definition, memory, four, 75_000).cancel, ['d', 'c'], 'down to what came next');
  assert.deepEqual(decide(definition, memory, four, 90_000).cancel, ['d', 'c', 'b', 'a']);
});

test('before the first reading nothing is ended, and so many as there were are wanted for a cool-down', () => {
  const definition = following(1, 3);
  const two = [run('a', 0), run('b', 0)];
  const fresh = freshMemory(two, 0);
  assert.deepEqual(decide(definition, fresh, two, 1_000_000).cancel, []);
  assert.equal(decide(definition, freshMemory([], 0), [], 0).start, 1, 'but as many as there always are');
  const memory = read(fresh, definition, 0, 1_000);
  assert.deepEqual(decide(definition, memory, two, 60_999).cancel, []);
  assert.deepEqual(decide(definition, memory, two, 61_000).cancel, ['b']);
});

test('a reading that failed keeps the last number, and says why and since when', () => {
  const definition = following(0, 8);
  let memory = read(freshMemory([], 0), definition, 400, 0);
  memory = withReading(memory, definition, { ok: false, error: 'no route' }, 15_000);
  memory = withReading(memory, definition, { ok: false, error: 'no answer' }, 30_000);
  assert.deepEqual(memory.failure, { error: 'no answer', sinceMs: 15_000 });
  assert.deepEqual(memory.backlog, { count: 400, atMs: 0 });
  assert.equal(decide(definition, memory, [], 86_400_000).wanted, 4);
  assert.equal(read(memory, definition, 1, 45_000).failure, null);
});

test('what has not begun is ended first, then the youngest; those that are ending make no room', () => {
  const definition = { min: 1, max: 1, backlog: null };
  const runs = [run('old', 1), run('waits', null), run('young', 2)];
  assert.deepEqual(decide(definition, freshMemory(runs, 9), runs, 9).cancel, ['waits', 'young']);
  const ending = [run('a', 1, true)];
  assert.deepEqual(decide(definition, freshMemory(ending, 9), ending, 9), {
    wanted: 1,
    start: 0,
    cancel: [],
    nextMs: null,
  });
});

test('a job that is paused wants none', () => {
  const definition = { min: 2, max: 2, backlog: null };
  const two = [run('a', 1), run('b', 2)];
  assert.deepEqual(decide(definition, freshMemory(two, 0), two, 0, true).cancel, ['b', 'a']);
  assert.equal(decide(definition, freshMemory([], 0), [], 0, true).start, 0);
});

test('instances that end as soon as they begin are started ever more slowly, once for all that crash together', () => {
  const definition = { min: 2, max: 2, backlog: null };
  let memory = freshMemory([], 0);
  let nowMs = 0;
  const delays: number[] = [];
  for (let round = 0; round < 9; round++) {
    assert.equal(decide(definition, memory, [], nowMs).start, 2);
    memory = withEnd(memory, crash(nowMs), nowMs);
    memory = withEnd(memory, { ...crash(nowMs), createdMs: nowMs }, nowMs);
    const { start, nextMs } = decide(definition, memory, [], nowMs);
    assert.equal(start, 0);
    delays.push((nextMs ?? 0) - nowMs);
    nowMs = nextMs ?? 0;
  }
  assert.deepEqual(
    delays,
    [1, 2, 4, 8, 16, 32, 60, 60, 60].map((s) => s * 1_000),
  );
  // Those that were started then have lived for a minute: a crash is the first one again.
  nowMs += 60_000;
  memory = withEnd(memory, crash(nowMs), nowMs);
  assert.equal(decide(definition, memory, [], nowMs).nextMs, nowMs + 1_000);
});

test('one that was asked to end, or has lived for a while, slows down nobody', () => {
  const memory = freshMemory([], 0);
  assert.equal(withEnd(memory, { ...crash(0), wasCancelled: true }, 0).slowdown, null);
  assert.equal(withEnd(memory, { ...crash(0), endedMs: 10_000 }, 10_000).slowdown, null);
  assert.notEqual(
    withEnd(memory, { ...crash(0), startedMs: null, endedMs: 99_000 }, 99_000).slowdown,
    null,
    'one that never began has not worked',
  );
});

const definitions = fc
  .record({
    a: fc.nat(6),
    b: fc.integer({ min: 1, max: 6 }),
    per: fc.integer({ min: 1, max: 50 }),
    follows: fc.boolean(),
  })
  .map(
    ({ a, b, per, follows }): InstancesDefinition =>
      follows ? following(Math.min(a, b), b, per) : { min: b, max: b, backlog: null },
  );

const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('read'), backlog: fc.nat(400) }),
    fc.record({ do: fc.constant('fail') }),
    fc.record({ do: fc.constant('end'), which: fc.nat(10) }),
    fc.record({ do: fc.constant('begin'), which: fc.nat(10) }),
    fc.record({ do: fc.constant('wait'), ms: fc.nat(90_000) }),
  ),
  { maxLength: 40 },
);

test('whatever happens: never more than max nor, by our hand, fewer than min; what was done leaves nothing to do', () => {
  fc.assert(
    fc.property(definitions, steps, (definition, story) => {
      let nowMs = 1_000;
      let runs: InstanceRun[] = [];
      let memory = freshMemory(runs, nowMs);
      let count = 0;
      /** When a number was last wanted by a reading. */
      const wished: { readonly count: number; atMs: number }[] = [];
      const act = () => {
        const decision = decide(definition, memory, runs, nowMs);
        const before = runs.filter(({ isEnding }) => !isEnding);
        assert.ok(decision.start === 0 || decision.cancel.length === 0);
        assert.ok(runs.length + decision.start <= definition.max);
        assert.ok(decision.wanted >= definition.min && decision.wanted <= definition.max);
        assert.equal(new Set(decision.cancel).size, decision.cancel.length);
        assert.ok(decision.cancel.every((key) => before.some((each) => each.key === key)));
        assert.ok(decision.cancel.length === 0 || before.length - decision.cancel.length >= definition.min);
        assert.ok(
          decision.nextMs === null || decision.nextMs > nowMs,
          'no decision asks for another one at once',
        );
        if (definition.backlog !== null && decision.cancel.length > 0) {
          const left = before.length - decision.cancel.length;
          const recent = wished.filter(({ atMs }) => atMs > nowMs - COOL_DOWN_MS);
          assert.ok(
            recent.every((each) => each.count <= left),
            'wanted of late, and ended',
          );
        }
        if (memory.slowdown !== null && memory.slowdown.untilMs > nowMs) assert.equal(decision.start, 0);
        runs = runs.map((each) => (decision.cancel.includes(each.key) ? { ...each, isEnding: true } : each));
        for (let i = 0; i < decision.start; i++)
          runs.push({ key: `${++count}` as RunKey, createdMs: nowMs, startedMs: null, isEnding: false });
        const again = decide(definition, memory, runs, nowMs);
        assert.deepEqual([again.start, again.cancel], [0, []]);
      };
      act();
      for (const step of story) {
        const one = 'which' in step ? runs[step.which % Math.max(1, runs.length)] : undefined;
        if (step.do === 'wait' && 'ms' in step) nowMs += step.ms;
        else if (step.do === 'read' && 'backlog' in step) {
          memory = read(memory, definition, step.backlog, nowMs);
          const last = wished.at(-1);
          if (last !== undefined) last.atMs = nowMs;
          wished.push({ count: wantedFor(definition, step.backlog), atMs: nowMs });
        } else if (step.do === 'fail')
          memory = withReading(memory, definition, { ok: false, error: 'x' }, nowMs);
        else if (step.do === 'begin' && one !== undefined)
          runs = runs.map((each) => (each === one ? { ...each, startedMs: nowMs } : each));
        else if (step.do === 'end' && one !== undefined) {
          runs = runs.filter((each) => each !== one);
          memory = withEnd(memory, { ...one, endedMs: nowMs, wasCancelled: one.isEnding }, nowMs);
        }
        act();
      }
      // Left alone, everything that was asked to end having ended, it comes to as many as are wanted.
      nowMs += 120_000;
      for (let i = 0; i < 3; i++) {
        runs = runs.filter(({ isEnding }) => !isEnding);
        act();
      }
      const last = memory.backlog === null ? null : wantedFor(definition, memory.backlog.count);
      if (definition.backlog === null) assert.equal(runs.length, definition.max);
      else if (last !== null) assert.equal(runs.length, last);
    }),
    { numRuns: 500 },
  );
});

test('what is remembered of readings stays small', () => {
  const definition = following(0, 1000, 1);
  let memory = freshMemory([], 0);
  for (let i = 0; i < 10_000; i++) memory = read(memory, definition, (i * 7919) % 1000, i);
  assert.ok(memory.wants.length <= 1_001);
});
