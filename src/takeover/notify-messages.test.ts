import assert from 'node:assert/strict';
import { test } from 'node:test';
import { begin, type Event, next, type Step } from './lifecycle.ts';
import { announcement, type Fields, isSound, status } from './notify-messages.ts';

const limits = {
  backoff: { firstMs: 100, maxMs: 10_000, resetAfterMs: 30_000 },
  readyTimeoutMs: 1,
  stopTimeoutMs: 1,
  takeoverTimeoutMs: 1,
};
const facts = { keeperPid: 7, workerPid: 8, output: '\nrocksyd.yaml:3: no\nmore', monotonicUs: 5n };
const killed = { how: 'killed', signal: 'SIGKILL' } as const;

/** What a manager is told of the last of these events. */
function last(...events: Event[]): Fields {
  let step: Step = begin(limits);
  let fields = announcement(step.state, step, facts);
  for (const event of events) {
    const before = step.state;
    step = next(before, event, limits);
    fields = announcement(before, step, facts);
  }
  return fields;
}

const ready: Event = { type: 'ready', atMs: 0 };
const takeover: Event = { type: 'takeover' };
const term: Event = { type: 'signal', signal: 'SIGTERM' };

test('ready is said when the first worker is ready, with the main pid', () => {
  assert.deepEqual(last(), ['STATUS=starting']);
  assert.deepEqual(last(ready), ['READY=1', 'MAINPID=7', 'STATUS=serving, worker pid 8']);
});

test('a takeover is a reload that ends with ready, come about or refused', () => {
  assert.deepEqual(last(ready, takeover), [
    'RELOADING=1',
    'MONOTONIC_USEC=5',
    'STATUS=serving, worker pid 8; a new version is being started',
  ]);
  assert.deepEqual(last(ready, takeover, { type: 'prepared' }), []);
  assert.deepEqual(last(ready, takeover, { type: 'prepared' }, { type: 'succeeded', atMs: 1 }), [
    'READY=1',
    'MAINPID=7',
    'STATUS=serving, worker pid 8',
  ]);
  const gone: Event = { type: 'successor-gone', end: { how: 'exited', code: 2 } };
  assert.deepEqual(last(ready, takeover, gone), [
    'READY=1',
    'MAINPID=7',
    'STATUS=serving, worker pid 8; takeover refused: the new version ended with code 2 before it had taken over (rocksyd.yaml:3: no)',
  ]);
});

test('a worker that dies, also in a takeover, and comes back is told of', () => {
  const gone: Event = { type: 'gone', end: killed, atMs: 1 };
  assert.deepEqual(last(ready, gone), ['STATUS=the worker was killed by SIGKILL; it is started again']);
  assert.deepEqual(last(ready, gone, { type: 'timer' }), ['STATUS=starting, after the worker died']);
  assert.deepEqual(last(ready, gone, { type: 'timer' }, gone), [
    'STATUS=the worker was killed by SIGKILL; it is started again in 100 ms',
  ]);
  assert.deepEqual(last(ready, gone, { type: 'timer' }, ready)[0], 'READY=1');
  assert.deepEqual(last(ready, takeover, { type: 'prepared' }, gone, ready)[0], 'READY=1');
});

test('a stop is told of once, in whatever moment it comes', () => {
  assert.deepEqual(last(ready, term), ['STOPPING=1', 'STATUS=stopping']);
  assert.equal(last(ready, takeover, term)[0], 'STOPPING=1');
  assert.deepEqual(last(ready, term, { type: 'stopping' }), []);
  assert.equal(last(ready, term, term)[1], 'STATUS=stopping at once: a second signal came');
  const end: Event = { type: 'gone', end: { how: 'exited', code: 0 }, atMs: 1 };
  assert.deepEqual(last(ready, term, end), ['STOPPING=1', 'STATUS=ended with exit code 0']);
});

test('a status is one line of bearable length', () => {
  assert.equal(status(' a\n\tb\u001b[1m '), 'STATUS=a b [1m');
  assert.equal(status('x'.repeat(1000)).length, 'STATUS='.length + 300);
});

test('the watchdog is fed unless a keeper that serves has a worker that cannot', () => {
  const serving = next(begin(limits).state, ready, limits).state;
  assert.deepEqual(
    ['R', 'S', 'D', 't', 'T', 'Z', 'X', null].map((worker) => isSound(serving, worker)),
    [true, true, true, true, false, false, false, false],
  );
  const waiting = next(serving, { type: 'gone', end: killed, atMs: 1 }, limits).state;
  assert.equal(waiting.phase, 'backing-off');
  assert.equal(isSound(waiting, null), true);
  assert.equal(isSound(begin(limits).state, null), true);
});
