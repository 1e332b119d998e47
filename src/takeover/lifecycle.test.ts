import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Action,
  begin,
  type Event,
  next,
  restartDelayMs,
  type State,
  type WorkerEnd,
} from './lifecycle.ts';

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

const takeover: Event = { type: 'takeover' };
const prepared: Event = { type: 'prepared' };
const succeeded: Event = { type: 'succeeded', atMs: 0 };
const left: Event = { type: 'gone', end: { how: 'exited', code: 0 }, atMs: 0 };
const killed: WorkerEnd = { how: 'killed', signal: 'SIGKILL' };
const successorGone: Event = { type: 'successor-gone', end: killed };
const does = ({ actions }: { actions: Action[] }): string[] => actions.map((action) => action.do);

test('a takeover ends with the successor as the worker, whichever of its signs comes first', () => {
  for (const signs of [
    [succeeded], // the end of the one before is nobody's business any more
    [left, ready],
  ]) {
    const { state, actions } = walk(ready, takeover, prepared, ...signs);
    assert.equal(state.phase, 'serving');
    assert.equal(actions.filter((action) => action.do === 'promote').length, 1);
    assert.equal(actions.filter((action) => action.do === 'welcome').length, 2);
    assert.equal(state.phase === 'serving' && state.failures, 0);
  }
});

test('whatever goes wrong before that is refused, with the reason, and the worker serves on', () => {
  const reasonOf = (...events: Event[]): string | undefined => {
    const { state, actions } = walk(ready, takeover, ...events);
    assert.equal(state.phase, 'serving');
    return actions.find((action) => action.do === 'refuse')?.reason;
  };
  assert.match(reasonOf(successorGone) ?? '', /was killed by SIGKILL before it had taken over/);
  assert.match(reasonOf(timer, successorGone) ?? '', /was not prepared within 9000 ms/);
  assert.equal(reasonOf(prepared, { type: 'thawed', reason: 'too slow' }, successorGone), 'too slow');
  assert.match(
    reasonOf(prepared, { type: 'thawed', reason: null }, successorGone) ?? '',
    /was killed by SIGKILL/,
  );
  assert.match(
    reasonOf({ type: 'successor-refused' }, successorGone) ?? '',
    /another version of the channel/,
  );
});

test('a worker that dies in a takeover leaves its place to its successor', () => {
  const loading = walk(ready, takeover, crash(1));
  assert.equal(loading.state.phase, 'starting');
  assert.deepEqual(does(loading).slice(-4), ['report', 'promote', 'leave-alone', 'arm']);
  assert.deepEqual(walk(ready, takeover, crash(1), ready).state, {
    phase: 'serving',
    failures: 1,
    readyAtMs: 0,
  });
});

test('signals wait for the end of a hand-over; a stop calls off what only loads', () => {
  const loading = walk(ready, takeover, signal('SIGTERM'));
  assert.equal(loading.state.phase, 'stopping');
  assert.ok(does(loading).includes('kill-successor'));
  const handing = walk(ready, takeover, prepared, signal('SIGTERM'), signal('SIGHUP'));
  assert.equal(handing.state.phase, 'taking-over');
  const done = walk(ready, takeover, prepared, signal('SIGTERM'), signal('SIGHUP'), succeeded);
  assert.equal(done.state.phase, 'stopping');
  assert.equal(done.actions.filter((action) => action.do === 'forward').length, 2);
  const hasty = walk(ready, takeover, prepared, signal('SIGTERM'), signal('SIGTERM'));
  assert.deepEqual(hasty.state, { phase: 'killing', exitCode: 143 });
});

test('whatever happens: never two workers or two successors, no end with a worker alive, and a timer where one is needed', () => {
  const anyEvent = fc.constantFrom<Event>(
    ready, timer, { type: 'stopping' }, { type: 'refused' }, crash(0), crash(60_000), left,
    signal('SIGTERM'), signal('SIGINT'), signal('SIGHUP'), takeover, takeover, prepared, prepared, succeeded,
    { type: 'thawed', reason: 'x' }, { type: 'thawed', reason: null }, { type: 'successor-refused' }, successorGone,
  ); // biome-ignore format: a table
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 80 }), (events) => {
      let { state, actions } = begin(limits);
      let workers = 1;
      let successors = 0;
      let doomed = false;
      for (const event of events) {
        if (event.type === 'gone' && workers === 0) continue; // only a worker can be gone
        const fromSuccessor = ['prepared', 'succeeded', 'successor-refused', 'successor-gone'].includes(
          event.type,
        );
        if (fromSuccessor && successors === 0) continue;
        if (fromSuccessor && doomed && event.type !== 'successor-gone') continue; // a killed one says nothing more
        if (event.type === 'gone') workers -= 1;
        if (event.type === 'successor-gone') successors -= 1;
        const before = state.phase;
        ({ state, actions } = next(state, event, limits));
        for (const action of actions) {
          if (action.do === 'start') workers += 1;
          if (action.do === 'start-successor') {
            successors += 1;
            doomed = false;
          }
          if (action.do === 'kill-successor') doomed = true;
          if (action.do === 'promote') {
            assert.equal(successors, 1, 'somebody is there to be promoted');
            successors -= 1;
            workers = 1; // the one before is gone, or is leaving
          }
        }
        assert.ok(workers <= 1 && successors <= 1, `${workers} workers, ${successors} successors`);
        const alive = ['starting', 'serving', 'taking-over', 'stopping', 'killing'].includes(state.phase);
        assert.equal(workers, alive ? 1 : 0);
        if (successors === 1 && state.phase !== 'taking-over')
          assert.ok(doomed, `${state.phase} with a successor`);
        const timed = ['starting', 'taking-over', 'stopping', 'backing-off'].includes(state.phase);
        if (timed && state.phase !== before) assert.ok(actions.some((action) => action.do === 'arm'));
      }
    }),
    { numRuns: 2000 },
  );
});
