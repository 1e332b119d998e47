import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Action, begin, type Event, next, restartDelayMs, type State } from './lifecycle.ts';

const limits = {
  backoff: { firstMs: 100, maxMs: 10_000, resetAfterMs: 30_000 },
  readyTimeoutMs: 5_000,
  stopTimeoutMs: 7_000,
  takeoverTimeoutMs: 9_000,
};
const crash = (atMs: number): Event => ({ type: 'gone', end: { how: 'exited', code: 1 }, atMs });
const signal = (name: 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGUSR2'): Event => ({
  type: 'signal',
  signal: name,
});

function walk(...events: Event[]): { state: State; actions: Action[] } {
  const first = begin(limits);
  return events.reduce<{ state: State; actions: Action[] }>(
    ({ state, actions }, event) => {
      const step = next(state, event, limits);
      return { state: step.state, actions: [...actions, ...step.actions] };
    },
    { state: first.state, actions: [...first.actions] },
  );
}

const ready: Event = { type: 'ready', atMs: 0 };
const timer: Event = { type: 'timer' };

test('a worker that dies is started again at once, then ever later', () => {
  assert.deepEqual(
    [1, 2, 3, 4, 8, 9, 1000, 10_000].map((failures) => restartDelayMs(failures, limits.backoff)),
    [0, 100, 200, 400, 6400, 10_000, 10_000, 10_000],
  );
});

test('a worker that was ready for long has its failures forgiven', () => {
  const twice = walk(crash(0), timer, crash(0), timer, ready);
  assert.deepEqual(next(twice.state, crash(29_999), limits).state, {
    phase: 'backing-off',
    failures: 3,
    pending: [],
  });
  assert.deepEqual(next(twice.state, crash(30_000), limits).state, {
    phase: 'backing-off',
    failures: 1,
    pending: [],
  });
});

test('signals wait for ready, one of each kind', () => {
  const { state, actions } = walk(
    signal('SIGHUP'),
    signal('SIGHUP'),
    signal('SIGUSR2'),
    crash(0),
    timer,
    ready,
  );
  assert.equal(state.phase, 'serving');
  assert.deepEqual(actions.slice(-3), [
    { do: 'welcome' },
    { do: 'forward', signal: 'SIGHUP' },
    { do: 'forward', signal: 'SIGUSR2' },
  ]);
});

test('a stop ends in the exit code of the worker', () => {
  const stopping = walk(ready, signal('SIGTERM')).state;
  assert.equal(stopping.phase, 'stopping');
  assert.deepEqual(
    walk(
      ready,
      signal('SIGTERM'),
      { type: 'stopping' },
      { type: 'gone', end: { how: 'exited', code: 0 }, atMs: 1 },
    ).state,
    {
      phase: 'ended',
      exitCode: 0,
    },
  );
  assert.deepEqual(walk(ready, signal('SIGTERM'), crash(1)).state, { phase: 'ended', exitCode: 1 });
  const killed: Event = { type: 'gone', end: { how: 'killed', signal: 'SIGKILL' }, atMs: 1 };
  assert.deepEqual(walk(ready, { type: 'stopping' }, timer, killed).state, { phase: 'ended', exitCode: 137 });
});

test('a stop while no worker serves needs none', () => {
  assert.deepEqual(walk(crash(0), signal('SIGINT')).state, { phase: 'ended', exitCode: 0 });
  assert.deepEqual(walk(signal('SIGINT'), crash(0)).state, { phase: 'ended', exitCode: 0 });
});

test('a second stop signal kills, wherever the first one waits', () => {
  for (const { state, actions } of [
    walk(ready, signal('SIGTERM'), signal('SIGINT')),
    walk(signal('SIGTERM'), signal('SIGINT')),
  ]) {
    assert.deepEqual(state, { phase: 'killing', exitCode: 130 });
    assert.equal(actions.at(-1)?.do, 'kill');
  }
});

test('whatever happens: never two workers, no end with a worker alive, and a timer where one is needed', () => {
  const anyEvent = fc.constantFrom<Event>(
    ready, timer, { type: 'stopping' }, { type: 'refused' }, crash(0), crash(60_000),
    signal('SIGTERM'), signal('SIGINT'), signal('SIGHUP'),
  ); // biome-ignore format: a table
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 60 }), (events) => {
      let { state, actions } = begin(limits);
      let workers = actions.filter((action) => action.do === 'start').length;
      for (const event of events) {
        if (event.type === 'gone' && workers === 0) continue; // only a worker can be gone
        if (event.type === 'gone') workers -= 1;
        const before = state.phase;
        ({ state, actions } = next(state, event, limits));
        workers += actions.filter((action) => action.do === 'start').length;
        assert.ok(workers <= 1);
        assert.equal(workers, ['starting', 'serving', 'stopping', 'killing'].includes(state.phase) ? 1 : 0);
        const timed = ['starting', 'stopping', 'backing-off'].includes(state.phase);
        if (timed && state.phase !== before) assert.ok(actions.some((action) => action.do === 'arm'));
      }
    }),
  );
});
