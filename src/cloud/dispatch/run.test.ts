import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type CloudRun, type Delivery, type Event, type Outcome, queued, type Step, step } from './index.ts';

const RETRY = { max: 2, backoff_ms: 1000, factor: 2, max_backoff_ms: 60_000 };
const NONE = { ...RETRY, max: 0 };
const ONCE: Delivery = {
  delivery: 'at-most-once',
  on_host_loss: 'wait',
  retry: { failure: NONE, lost_process: NONE, lost_host: NONE },
};
const AGAIN: Delivery = {
  delivery: 'at-least-once',
  on_host_loss: 'rerun',
  retry: { failure: RETRY, lost_process: RETRY, lost_host: RETRY },
};

const succeeded: Outcome = { name: 'succeeded', code: 0, signal: null, error: null, result: null };
const failed: Outcome = { name: 'failed', code: 1, signal: null, error: 'no', result: null };
const lost: Outcome = { name: 'lost', code: null, signal: null, error: null, result: null };

/** Events 100 ms apart, without luck in the jitter; the last step and all actions. */
function follow(run: CloudRun, ...events: readonly Event[]): Step {
  const actions: Step['actions'][number][] = [];
  let present = run;
  for (const [i, event] of events.entries()) {
    const next = step(present, event, 100 * (i + 1), 0);
    present = next.run;
    actions.push(...next.actions);
  }
  return { run: present, actions };
}

const placed = (host = 'a'): Event => ({ type: 'placed', host });
const begun = (attempt = 1): Event => ({ type: 'begun', attempt, startedMs: 1 });
const ended = (outcome: Outcome, attempt = 1): Event => ({
  type: 'ended',
  attempt,
  outcome,
  startedMs: 1,
  endedMs: 2,
});

test('a run is placed, begins, and ends by its host’s word, which may then forget it', () => {
  const { run, actions } = follow(queued('k', ONCE, 0), placed(), begun(), ended(succeeded));
  assert.deepEqual(run.phase, {
    state: 'ended',
    attempt: 1,
    outcome: succeeded,
    host: 'a',
    startedMs: 1,
    endedMs: 2,
  });
  assert.deepEqual(actions, [
    { do: 'run', host: 'a', attempt: 1 },
    { do: 'free', attempt: 1 },
  ]);
});

test('a failure is tried again, later each time, and in the end it has failed', () => {
  const retrying = { ...ONCE, retry: { ...ONCE.retry, failure: RETRY } };
  const first = follow(queued('k', retrying, 0), placed(), begun(), ended(failed));
  assert.deepEqual(first.run.phase, { state: 'queued', attempt: 2, notBeforeMs: 300 + 500, host: 'a' });
  const second = follow(first.run, placed(), begun(2), ended(failed, 2));
  assert.deepEqual(second.run.phase, { state: 'queued', attempt: 3, notBeforeMs: 300 + 1000, host: 'a' });
  const third = follow(second.run, placed(), ended(failed, 3));
  assert.equal(third.run.phase.state, 'ended');
  assert.deepEqual(third.actions, [
    { do: 'run', host: 'a', attempt: 3 },
    { do: 'free', attempt: 3 },
  ]);
});

test('what may run once only stays with its host: lost is lost, and silence is waited for', () => {
  const generous = { ...ONCE, retry: AGAIN.retry };
  assert.deepEqual(follow(queued('k', generous, 0), placed(), begun(), ended(lost)).run.phase.state, 'ended');
  const silent = follow(
    queued('k', generous, 0),
    placed(),
    begun(),
    { type: 'host-silent' },
    { type: 'host-lost' },
  );
  assert.equal(silent.run.phase.state, 'unreachable');
  assert.deepEqual(follow(silent.run, { type: 'host-back' }, ended(succeeded)).run.phase.state, 'ended');
});

test('what may run twice goes to another host when its own is lost, and a late word of the first changes nothing', () => {
  const first = follow(
    queued('k', AGAIN, 0),
    placed('a'),
    begun(),
    { type: 'host-silent' },
    { type: 'host-lost' },
  );
  const second = follow(first.run, placed('b'), begun(2));
  assert.deepEqual(second.actions, [{ do: 'run', host: 'b', attempt: 2 }]);
  const late = follow(second.run, ended(succeeded, 1));
  assert.deepEqual([late.run, late.actions], [second.run, [{ do: 'free', attempt: 1 }]]);
});

test('a host that does not know a run has not started it; one that had begun it has lost it', () => {
  const { run } = follow(queued('k', ONCE, 0), placed(), { type: 'unknown', attempt: 1 });
  assert.deepEqual(run.phase, { state: 'queued', attempt: 1, notBeforeMs: 200, host: 'a' });
  assert.deepEqual(follow(run, placed('b')).run, run, 'and it stays with that host');
  const gone = follow(queued('k', AGAIN, 0), placed(), begun(), { type: 'unknown', attempt: 1 });
  assert.equal(gone.run.phase.state === 'ended' && gone.run.phase.outcome.name, 'lost');
});

test('a cancelled run ends: in the queue at once, else by its host, and is never tried again', () => {
  const cancel: Event = { type: 'cancel', by: 'ann' };
  const waiting = follow(queued('k', AGAIN, 0), cancel).run.phase;
  assert.equal(waiting.state === 'ended' && waiting.outcome.error, 'cancelled by ann');
  const running = follow(queued('k', AGAIN, 0), placed(), begun(), cancel);
  assert.deepEqual(running.actions.at(-1), { do: 'cancel', host: 'a', attempt: 1 });
  assert.equal(follow(running.run, ended(failed)).run.phase.state, 'ended');
  const unreached = follow(queued('k', AGAIN, 0), placed(), { type: 'host-silent' }, cancel, {
    type: 'host-back',
  });
  assert.deepEqual(unreached.actions.at(-1), { do: 'cancel', host: 'a', attempt: 1 });
  assert.equal(follow(unreached.run, { type: 'unknown', attempt: 1 }).run.phase.state, 'ended');
});

test('a run that has not begun in time is over, but not one that waits to be tried again', () => {
  const late = follow(queued('k', ONCE, 0), { type: 'queue-timeout' }).run.phase;
  assert.equal(late.state === 'ended' && late.outcome.name, 'timed_out');
  const again = follow(queued('k', AGAIN, 0), placed(), ended(failed));
  assert.deepEqual(follow(again.run, { type: 'queue-timeout' }).run, again.run);
});

const attempt = fc.integer({ min: 1, max: 4 });
const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ type: fc.constant('placed' as const), host: fc.constantFrom('a', 'b') }),
  fc.record({ type: fc.constant('begun' as const), attempt, startedMs: fc.nat() }),
  fc.record({
    type: fc.constant('ended' as const),
    attempt,
    outcome: fc.constantFrom(succeeded, failed, lost),
    startedMs: fc.constant(null),
    endedMs: fc.nat(),
  }),
  fc.record({ type: fc.constant('unknown' as const), attempt }),
  fc.record({ type: fc.constant('cancel' as const), by: fc.constant('ann') }),
  fc.record({
    type: fc.constant('refused' as const),
    attempt,
    error: fc.constant('full'),
    forGood: fc.boolean(),
    againMs: fc.nat(),
  }),
  fc.constantFrom<Event>(
    { type: 'cancel-expired' },
    { type: 'host-silent' },
    { type: 'host-back' },
    { type: 'host-lost' },
    { type: 'queue-timeout' },
  ),
);
const delivery = fc.record({
  delivery: fc.constantFrom<Delivery['delivery']>('at-most-once', 'at-least-once'),
  on_host_loss: fc.constantFrom<Delivery['on_host_loss']>('wait', 'fail', 'rerun'),
  retry: fc.constant(AGAIN.retry),
});

test('whatever comes in whatever order: an end is final, attempts are bounded, and what is said twice counts once', () => {
  fc.assert(
    fc.property(delivery, fc.array(event, { maxLength: 40 }), (how, events) => {
      let run = queued('k', how, 0);
      const hosts = new Set<string>();
      for (const [i, each] of events.entries()) {
        const before = run;
        const { run: after, actions } = step(run, each, i, 0.5);
        run = after;
        if (before.phase.state === 'ended') assert.deepEqual(after, before);
        // Who said that it has not begun it does not count.
        if (each.type === 'refused' && before !== run && run.phase.attempt === 1) hosts.clear();
        for (const action of actions) if (action.do === 'run') hosts.add(action.host);
        if (actions.some((action) => action.do === 'run')) assert.equal(before.cancelledBy, null);
        const made = run.made.failure + run.made.lost_process + run.made.lost_host;
        assert.ok(run.phase.attempt <= made + 1);
        assert.ok(made <= 6);
        // A second time it may be answered again, but it changes nothing.
        assert.deepEqual(step(run, each, i, 0.5).run, run);
      }
      if (how.delivery === 'at-most-once') assert.ok(hosts.size <= 1, 'one host for ever');
    }),
    { numRuns: 2_000 },
  );
});

test('at most once: no new attempt is made but after a failure that the host has told', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      let run = queued('k', { ...AGAIN, delivery: 'at-most-once' }, 0);
      for (const [i, each] of events.entries()) {
        const { attempt: before } = run.phase;
        run = step(run, each, i, 0.5).run;
        if (run.phase.attempt > before) assert.ok(each.type === 'ended' && each.outcome.name === 'failed');
      }
    }),
  );
});
