import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type AlertState, nextSweepMs, observe, QUIET_STATE, sweep } from './alerts.ts';
import { GATHER_MS, MAX_JOBS } from './gather.ts';
import { MAX_CAUSES, QUIET_MS } from './incident.ts';
import type { Notice } from './notice.ts';
import type { Observation, ObservationKind } from './observation.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Alerts over a time that the test makes. The state goes through JSON at every step, as it does over a restart. */
class Story {
  nowMs = 0;
  state: AlertState = QUIET_STATE;
  readonly notices: Notice[] = [];

  see(kind: ObservationKind, more: Partial<Observation> = {}): this {
    const seen = { job: 'shop/report', kind, cause: 'no', runKey: 'r1', atMs: this.nowMs, ...more };
    this.#take(observe(this.state, [seen], this.nowMs));
    return this;
  }

  /** Time passes, and whatever is due in it is done when it is due. */
  pass(ms: number): this {
    const untilMs = this.nowMs + ms;
    for (let due = nextSweepMs(this.state); due !== null && due <= untilMs; due = nextSweepMs(this.state)) {
      this.nowMs = Math.max(this.nowMs, due);
      this.#take(sweep(this.state, this.nowMs));
    }
    this.nowMs = untilMs;
    return this;
  }

  get told(): string[] {
    return this.notices.map(({ what, kind, jobs }) => `${what} ${kind} ${jobs.length}`);
  }

  #take({ state, notices }: ReturnType<typeof observe>): void {
    this.state = JSON.parse(JSON.stringify(state));
    this.notices.push(...notices);
  }
}

test('a job that fails every minute for a day with one error: one alert, at most four reminders, one recovery', () => {
  const story = new Story();
  for (let i = 0; i <= DAY / MINUTE; i++) {
    story.see('failed', { cause: `timeout after ${i} ms in '${i}'`, runKey: `r${i}` }).pass(MINUTE);
  }
  story.see('succeeded').pass(DAY);
  assert.deepEqual(story.told, [
    'opened failed 1',
    ...Array<string>(4).fill('reminder failed 1'),
    'recovered failed 1',
  ]);
  const hours = story.notices.slice(1, 5).map(({ atMs }) => atMs / HOUR);
  assert.deepEqual(hours, [1, 4, 12, 24]);
  assert.equal(story.notices.at(-1)?.jobs[0]?.count, DAY / MINUTE + 1);
  assert.deepEqual(story.state, QUIET_STATE, 'and nothing is kept');
});

test('a job that fails once a day is reminded of on four days', () => {
  const story = new Story();
  for (let day = 0; day < 10; day++) story.see('failed').pass(DAY);
  assert.deepEqual(story.told, ['opened failed 1', ...Array<string>(4).fill('reminder failed 1')]);
});

test('a failure that nobody saw again is not reminded of, and is still open', () => {
  const story = new Story().see('failed').pass(10 * DAY);
  assert.deepEqual(story.told, ['opened failed 1']);
  assert.deepEqual(story.see('succeeded').pass(HOUR).told.slice(1), ['recovered failed 1']);
});

test('another cause is an incident of its own, and one recovery closes them all', () => {
  const story = new Story()
    .see('failed', { cause: 'disk full' })
    .pass(HOUR / 2)
    .see('failed', { cause: 'no route' })
    .pass(HOUR / 2)
    .see('succeeded')
    .pass(HOUR);
  assert.deepEqual(story.told, ['opened failed 1', 'opened failed 1', 'recovered failed 1']);
  assert.deepEqual(story.notices[2]?.causes, ['disk full', 'no route']);
  assert.equal(story.notices[2]?.jobs[0]?.incidents.length, 2);
});

test('a job with a new error every time is told of a few times only', () => {
  const story = new Story();
  for (const word of 'abcdefghijklmnopqrstuvwxyz')
    story.see('failed', { cause: `error ${word}` }).pass(MINUTE);
  assert.deepEqual(story.told, Array<string>(MAX_CAUSES + 1).fill('opened failed 1'));
  assert.match(story.notices.at(-1)?.causes[0] ?? '', /^more than 5 different causes; another one: error f$/);
});

test('many jobs that fail for the same cause within a minute make one notice, and another when they recover', () => {
  const story = new Story();
  const all = MAX_JOBS + 100;
  for (let i = 0; i < all; i++) {
    story.see('failed', { job: `p${i % 2}/job${i}`, cause: `db${i} is away` });
    if (i % 100 === 0) story.pass(1000);
  }
  story.pass(MINUTE);
  assert.deepEqual(story.told, [`opened failed ${MAX_JOBS}`]);
  assert.deepEqual(story.notices[0]?.causes, ['db0 is away']);
  assert.deepEqual(story.notices[0]?.more, [
    { project: 'p0', count: 50 },
    { project: 'p1', count: 50 },
  ]);
  for (let i = 0; i < all; i++) story.see('succeeded', { job: `p${i % 2}/job${i}` });
  assert.deepEqual(story.pass(MINUTE).told.slice(1), [`recovered failed ${MAX_JOBS}`]);
});

test('jobs that fail for different causes are not mixed up, nor are those that fail later', () => {
  const story = new Story()
    .see('failed', { job: 'a/1', cause: 'disk full' })
    .see('failed', { job: 'a/2', cause: 'no route' })
    .pass(GATHER_MS)
    .see('failed', { job: 'a/3', cause: 'disk full' })
    .pass(GATHER_MS);
  const jobs = story.notices.map((notice) => notice.jobs.map(({ job }) => job));
  assert.deepEqual(jobs, [['a/1'], ['a/2'], ['a/3']]);
});

test('a failure that is over before it was told is told, and so is its end', () => {
  const story = new Story().see('failed').pass(1000).see('succeeded').pass(HOUR);
  assert.deepEqual(story.told, ['opened failed 1', 'recovered failed 1']);
});

test('a job that comes and goes within a minute is told of in the order in which it was', () => {
  const story = new Story().see('failed').see('succeeded').see('failed').see('failed', { job: 'shop/other' });
  story.pass(HOUR / 2);
  assert.deepEqual(story.told, ['opened failed 2', 'recovered failed 1', 'opened failed 1']);
});

test('a recovery that nobody has heard of yet is told when the job is removed', () => {
  const story = new Story();
  for (let i = 0; i < 3; i++) story.see('failed').pass(MINUTE).see('succeeded').pass(MINUTE);
  assert.equal(story.told.at(-1), 'opened failed 1');
  assert.equal(story.see('removed').pass(MINUTE).told.at(-1), 'recovered failed 1');
});

test('a job that is now well, now not, is told of three times and then only when it stays well', () => {
  const story = new Story();
  for (let i = 0; i < 60; i++)
    story
      .see('failed')
      .pass(5 * MINUTE)
      .see('succeeded')
      .pass(5 * MINUTE);
  assert.equal(story.told.filter((told) => told.startsWith('opened')).length, 3);
  assert.equal(story.told.filter((told) => told.startsWith('recovered')).length, 2);
  const lastMs = story.nowMs - 5 * MINUTE;
  story.pass(DAY);
  assert.equal(story.told.at(-1), 'recovered failed 1');
  assert.equal(story.notices.at(-1)?.atMs, lastMs + QUIET_MS);
});

test('a job that is late, or goes on for too long, is reminded of while it lasts and closed by its run', () => {
  const story = new Story()
    .see('late', { runKey: 'a' })
    .pass(2 * HOUR)
    .see('late_over', { runKey: 'b' })
    .see('late_over', { runKey: 'a' })
    .see('too_long', { runKey: 'a' })
    .see('too_long', { runKey: 'b' })
    .pass(2 * HOUR)
    .see('succeeded', { runKey: 'a' })
    .pass(4 * HOUR)
    .see('failed', { runKey: 'b' })
    .pass(HOUR);
  assert.deepEqual(story.told, [
    'opened late 1',
    'reminder late 1',
    'recovered late 1',
    'opened too_long 1',
    'reminder too_long 1',
    'reminder too_long 1',
    'recovered too_long 1',
    'opened failed 1',
  ]);
});

test('a run, whatever becomes of it, ends that the job did not run', () => {
  const missed = new Story().see('missed', { runKey: null }).pass(HOUR);
  assert.deepEqual(missed.see('failed').pass(HOUR).told, [
    'opened missed 1',
    'recovered missed 1',
    'opened failed 1',
  ]);
});

test('with a job its incidents go, and what people believe to be open is closed', () => {
  const story = new Story()
    .see('failed')
    .see('late')
    .pass(HOUR / 2)
    .see('removed')
    .pass(HOUR);
  assert.deepEqual(story.told.slice(-2).sort(), ['recovered failed 1', 'recovered late 1']);
  assert.deepEqual(story.state, QUIET_STATE);
});

test('what a host tells after hours of silence is gathered like what happens now', () => {
  const story = new Story().pass(DAY);
  for (let i = 0; i < 180; i++) story.see('failed', { job: `a/${i % 3}`, atMs: i * MINUTE });
  story.pass(HOUR);
  assert.deepEqual(story.told, ['opened failed 3']);
  assert.equal(story.notices[0]?.jobs[1]?.sinceMs, MINUTE);
});

test('to observe needs no more than the incidents of the jobs that are observed', () => {
  const seen: Observation = { job: 'a/1', kind: 'failed', cause: 'no', runKey: null, atMs: 0 };
  const { state } = observe(QUIET_STATE, [seen, { ...seen, job: 'a/2' }], 0);
  const part = { ...state, incidents: state.incidents.filter(({ job }) => job === 'a/1') };
  const whole = observe(state, [{ ...seen, kind: 'succeeded' }], 1000);
  const some = observe(part, [{ ...seen, kind: 'succeeded' }], 1000);
  assert.deepEqual(some.state.gatherings, whole.state.gatherings);
  assert.deepEqual(
    some.state.incidents,
    whole.state.incidents.filter(({ job }) => job === 'a/1'),
  );
});

const action = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      job: fc.constantFrom('a/1', 'a/2', 'b/1'),
      kind: fc.constantFrom<ObservationKind>(
        'failed',
        'succeeded',
        'late',
        'late_over',
        'missed',
        'missed_over',
        'too_long',
        'too_long_over',
        'removed',
      ),
      cause: fc.constantFrom('disk full', 'no route', 'x 1', 'a', 'b', 'c', 'd', 'e'),
      runKey: fc.constantFrom('r1', 'r2', null),
    }),
  },
  { weight: 2, arbitrary: fc.constantFrom(0, 1, 1000, 30_000, MINUTE, 10 * MINUTE, 2 * HOUR) },
);

test('whatever is seen: each incident is opened, reminded of at most four times, and over, in this order', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
      const story = new Story();
      for (const each of actions) {
        if (typeof each === 'number') story.pass(each);
        else story.see(each.kind, each);
        // A job that is removed and comes again within one millisecond is none that anybody has.
        if (typeof each !== 'number' && each.kind === 'removed') story.pass(1);
      }
      for (const job of ['a/1', 'a/2', 'b/1']) story.see('removed', { job });
      story.pass(DAY);
      const told = new Set(story.notices.flatMap(({ jobs }) => jobs.flatMap(({ incidents }) => incidents)));
      for (const id of told) {
        const whats = story.notices
          .filter(({ jobs }) => jobs.some(({ incidents }) => incidents.includes(id)))
          .map(({ what }) => what);
        assert.match(whats.join(' '), /^(opened( reminder)* recovered ?){1,3}$/);
        assert.ok(whats.filter((what) => what === 'reminder').length <= 4);
      }
      assert.deepEqual(story.state, QUIET_STATE);
      assert.equal(new Set(story.notices.map(({ id }) => id)).size, story.notices.length);
    }),
    { numRuns: 1000 },
  );
});
