import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SimulatedHost } from '../fixtures/simulated-host.ts';
import { settled, TestClock } from '../fixtures/test-clock.ts';
import { jitterOf } from '../scheduler/index.ts';
import { type JobId, type LedgerEntry, runKeyOf } from '../store/index.ts';
import { type Fault, jobOf, StoreFailure, TestCloud } from './fixtures/cloud.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** A Monday. */
const MONDAY = Date.UTC(2026, 0, 5);

async function cloudAt(nowMs: number): Promise<TestCloud> {
  const cloud = await TestCloud.create(new TestClock(nowMs));
  await cloud.start();
  return cloud;
}

/** As job files have it. */
function isoOf(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}

/** Hours of the first day, or what became of them. */
function became(entries: readonly LedgerEntry[]): string {
  return entries
    .map(({ dueMs, became: it }) => `${(dueMs - MONDAY) / HOUR} ${it.verdict === 'run' ? 'run' : it.reason}`)
    .join(', ');
}

async function assertWhole(cloud: TestCloud, id: JobId, untilMs = cloud.clock.nowMs() + 1): Promise<void> {
  const due = (await cloud.ledger(id)).map(({ dueMs }) => dueMs);
  assert.deepEqual(due, await cloud.expected(id, untilMs));
  assert.equal(new Set(due).size, due.length);
}

/** What the ledger says has run is in the store, and has ended or is led. */
async function assertNoneLost(cloud: TestCloud, id: JobId): Promise<void> {
  for (const { became: it, dueMs } of await cloud.ledger(id)) {
    if (it.verdict !== 'run') continue;
    const run = await cloud.store.runs.get(it.runKey);
    assert.ok(run !== null, `the run of ${new Date(dueMs).toISOString()} is not in the store`);
    if (run.state !== 'ended')
      assert.ok(cloud.leader.dispatcher.find(it.runKey) !== null, `nobody leads the run ${it.runKey}`);
  }
}

test('a daily, a quarter-hourly and a secondly job have each due time in the ledger, once', async () => {
  await using cloud = await cloudAt(MONDAY + 2 * HOUR + 59 * MINUTE);
  const jobs = await cloud.apply(
    jobOf('daily', { schedule: '0 3 * * *' }),
    jobOf('quarterly', { schedule: '*/15 * * * *' }),
    jobOf('secondly', { schedule: { every: '1s' } }),
  );
  await cloud.clock.advance(20 * MINUTE);
  // From then on the machine is busy, and looks at the clock when it gets round to it.
  for (let i = 0; i < 9; i++) await cloud.clock.set(cloud.clock.nowMs() + 7 * MINUTE + i);
  for (const { id } of jobs) await assertWhole(cloud, id);
  const [daily, quarterly, secondly] = await Promise.all(jobs.map(({ id }) => cloud.ledger(id)));
  assert.deepEqual([daily?.length, quarterly?.length], [1, 6]);
  assert.equal(secondly?.length, 20 * 60 + 9 * 7 * 60 + 1);
});

test('a day goes by, and every fire is on time', async () => {
  await using cloud = await cloudAt(MONDAY);
  const jobs = await cloud.apply(
    jobOf('daily', { schedule: '0 3 * * *', timezone: 'Europe/Berlin' }),
    jobOf('quarterly', { schedule: '*/15 * * * *' }),
  );
  await cloud.clock.advance(DAY);
  for (const { id } of jobs) await assertWhole(cloud, id);
  const [daily, quarterly] = await Promise.all(jobs.map(({ id }) => cloud.ledger(id)));
  assert.deepEqual([daily?.length, quarterly?.length], [1, 96 + 1]);
  for (const { dueMs, decidedMs } of [...(daily ?? []), ...(quarterly ?? [])]) assert.equal(decidedMs, dueMs);
});

const MISFIRES: readonly (readonly [string, object, string])[] = [
  ['skip', { policy: 'skip' }, '1 misfire, 2 misfire, 3 misfire, 4 misfire, 5 misfire'],
  ['once', { policy: 'once' }, '1 misfire, 2 misfire, 3 misfire, 4 misfire, 5 run'],
  [
    'once, but not so late',
    { policy: 'once', within: '30m' },
    '1 misfire, 2 misfire, 3 misfire, 4 misfire, 5 misfire',
  ],
  ['all', { policy: 'all' }, '1 run, 2 run, 3 run, 4 run, 5 run'],
  ['all, three at most: the latest', { policy: 'all', max: 3 }, '1 misfire, 2 misfire, 3 run, 4 run, 5 run'],
  [
    'all that are not too old',
    { policy: 'all', within: '150m' },
    '1 misfire, 2 misfire, 3 misfire, 4 run, 5 run',
  ],
];

for (const [name, misfire, expected] of MISFIRES) {
  test(`after an outage, misfire: ${name}`, async () => {
    await using cloud = await cloudAt(MONDAY + 30 * MINUTE);
    const [job] = await cloud.apply(jobOf('hourly', { schedule: '0 * * * *', misfire, overlap: 'allow' }));
    assert.ok(job !== undefined);
    await cloud.stop();
    await cloud.clock.set(MONDAY + 5 * HOUR + 40 * MINUTE);
    await cloud.start();
    assert.equal(became(await cloud.ledger(job.id)), expected);
    await cloud.clock.advance(20 * MINUTE);
    assert.equal(became(await cloud.ledger(job.id)), `${expected}, 6 run`, 'the next one is in time');
  });
}

const OVERLAPS: readonly (readonly [string, object, string])[] = [
  ['skip', { policy: 'skip' }, '1 run, 2 overlap, 3 overlap, 4 overlap'],
  ['queue', { policy: 'queue', limit: 2 }, '1 run, 2 run, 3 limit, 4 limit'],
  ['replace', { policy: 'replace' }, '1 replaced, 2 replaced, 3 replaced, 4 run'],
  ['allow', { policy: 'allow' }, '1 run, 2 run, 3 run, 4 run'],
];

for (const [name, overlap, expected] of OVERLAPS) {
  test(`what is made up for obeys overlap: ${name}`, async () => {
    await using cloud = await cloudAt(MONDAY + 30 * MINUTE);
    const [job] = await cloud.apply(jobOf('hourly', { schedule: '0 * * * *', misfire: 'all', overlap }));
    assert.ok(job !== undefined);
    await cloud.stop();
    await cloud.clock.set(MONDAY + 4 * HOUR + 40 * MINUTE);
    await cloud.start();
    assert.equal(became(await cloud.ledger(job.id)), expected);
  });
}

test('a run that has begun is ended by the one that takes its place, also when what was missed is made up for', async () => {
  await using cloud = await cloudAt(MONDAY + 30 * MINUTE);
  const host = new SimulatedHost({ clock: cloud.clock });
  host.connect(cloud.leader.dispatcher);
  const raw = { schedule: '0 * * * *', misfire: 'all', overlap: 'replace' };
  const [job] = await cloud.apply(jobOf('hourly', raw));
  assert.ok(job !== undefined);
  await cloud.clock.advance(31 * MINUTE);
  const first = runKeyOf(job.id, MONDAY + HOUR);
  assert.deepEqual(host.running, [first]);
  await cloud.clock.set(MONDAY + 3 * HOUR + 40 * MINUTE);
  assert.equal(became(await cloud.ledger(job.id)), '1 run, 2 replaced, 3 run');
  assert.deepEqual(host.running, [runKeyOf(job.id, MONDAY + 3 * HOUR)]);
  const ended = await cloud.store.runs.get(first);
  assert.deepEqual(
    [ended?.outcome, ended?.cancelRequestedBy],
    ['cancelled', 'the run of 2026-01-05T03:00:00.000Z'],
  );
});

test('a leader that dies between the new run and the end of the old one is made good by the next', async () => {
  await using cloud = await cloudAt(MONDAY + 30 * MINUTE);
  const host = new SimulatedHost({ clock: cloud.clock });
  host.connect(cloud.leader.dispatcher);
  const [job] = await cloud.apply(jobOf('hourly', { schedule: '0 * * * *', overlap: 'replace' }));
  assert.ok(job !== undefined);
  await cloud.clock.advance(31 * MINUTE);
  // Nothing is told of what was written: the former run is not ended.
  cloud.fault = () => 'after';
  await cloud.clock.advance(59 * MINUTE);
  cloud.crash();
  cloud.fault = () => 'none';
  host.goAway();
  host.connect((await cloud.start()).dispatcher);
  await cloud.clock.advance(2 * MINUTE);
  assert.equal(became(await cloud.ledger(job.id)), '1 run, 2 run');
  assert.deepEqual(host.running, [runKeyOf(job.id, MONDAY + 2 * HOUR)]);
});

test('a clock that is put back an hour runs nothing twice, and jobs are due again when it has caught up', async () => {
  await using cloud = await cloudAt(MONDAY);
  const raw = { schedule: '*/15 * * * *', overlap: 'allow', misfire: 'all' };
  const [job] = await cloud.apply(jobOf('quarterly', raw));
  assert.ok(job !== undefined);
  await cloud.clock.advance(2 * HOUR);
  await cloud.clock.set(cloud.clock.nowMs() - HOUR);
  await cloud.restart();
  const [changed] = await cloud.apply(jobOf('quarterly', { ...raw, schedule: '*/10 * * * *' }));
  assert.ok(Number(changed?.updatedMs) > MONDAY + 2 * HOUR, 'in force when the clock has caught up');
  await cloud.clock.advance(HOUR + 30 * MINUTE);
  await assertWhole(cloud, job.id);
  const entries = await cloud.ledger(job.id);
  assert.equal(entries.length, 9 + 3);
  assert.ok(entries.every((entry) => entry.became.verdict === 'run'));
});

test('a clock that is put forward is an outage', async () => {
  await using cloud = await cloudAt(MONDAY + 30 * MINUTE);
  const [job] = await cloud.apply(jobOf('hourly', { schedule: '0 * * * *', misfire: 'once' }));
  assert.ok(job !== undefined);
  await cloud.clock.set(MONDAY + 3 * HOUR + 30 * MINUTE);
  assert.equal(became(await cloud.ledger(job.id)), '1 misfire, 2 misfire, 3 run');
});

test('a weekly job fires on time although everything is restarted every hour', async () => {
  await using cloud = await cloudAt(MONDAY + 13 * HOUR);
  const [job] = await cloud.apply(jobOf('weekly', { schedule: '30 12 * * 1' }));
  assert.ok(job !== undefined);
  for (let i = 0; i < 7 * 24; i++) {
    await cloud.restart();
    // From half an hour to the next, but for the one in which it is due.
    await cloud.clock.set(cloud.clock.nowMs() + HOUR / 2 - MINUTE);
    if (i === 7 * 24 - 1) await cloud.clock.advance(2 * MINUTE);
    await cloud.clock.set(MONDAY + (14 + i) * HOUR);
  }
  const [entry, ...more] = await cloud.ledger(job.id);
  const dueMs = MONDAY + 7 * DAY + 12 * HOUR + 30 * MINUTE;
  assert.deepEqual([entry?.dueMs, entry?.decidedMs, entry?.became.verdict], [dueMs, dueMs, 'run']);
  assert.deepEqual(more, []);
});

test('a leader takes over when jobs are due next, unless another definition or other rules say otherwise', async () => {
  await using cloud = await cloudAt(MONDAY);
  const [job] = await cloud.apply(jobOf('daily', { schedule: '0 3 * * *' }));
  assert.ok(job !== undefined);
  const { id } = job;
  await cloud.clock.advance(MINUTE);
  const keep = async (change: { readonly version?: number; readonly dueMs?: number }) => {
    const rules = cloud.rules;
    const [kept] = await cloud.store.nextDue.many([id], rules);
    assert.ok(kept !== undefined, `nothing is kept by ${rules}`);
    await cloud.store.nextDue.save([{ ...kept, ...change }], rules, null);
    return kept.dueMs;
  };
  const next = async () => (await cloud.restart()).ticker.nextOf(id);

  assert.equal(await keep({ dueMs: MONDAY + 4 * HOUR }), MONDAY + 3 * HOUR);
  assert.equal(await next(), MONDAY + 4 * HOUR, 'what is kept is believed');
  await keep({ version: 7 });
  assert.equal(await next(), MONDAY + 3 * HOUR, 'not of another version');
  await keep({ version: 1, dueMs: MONDAY - DAY });
  assert.equal(await next(), MONDAY + 3 * HOUR, 'not from before what is decided');
  await keep({ dueMs: MONDAY + 4 * HOUR });
  cloud.version = '1.0.1';
  assert.equal(await next(), MONDAY + 3 * HOUR, 'not from another release');
});

test('of a weekly job one run stands for an outage of a month', async () => {
  await using cloud = await cloudAt(MONDAY + 13 * HOUR);
  const [job] = await cloud.apply(jobOf('weekly', { schedule: '30 12 * * 1', overlap: 'allow' }));
  assert.ok(job !== undefined);
  await cloud.stop();
  await cloud.clock.set(MONDAY + 30 * DAY);
  await cloud.start();
  const entries = await cloud.ledger(job.id);
  assert.deepEqual(
    entries.map(({ became: it }) => (it.verdict === 'run' ? 'run' : it.reason)),
    ['misfire', 'misfire', 'misfire', 'run'],
  );
});

test('what may not run is no reason to leave out the latest that may', async () => {
  await using cloud = await cloudAt(MONDAY + 12 * HOUR);
  const end = isoOf(MONDAY + 2 * DAY);
  const [job] = await cloud.apply(jobOf('daily', { schedule: '0 6 * * *', end }));
  assert.ok(job !== undefined);
  await cloud.stop();
  await cloud.clock.set(MONDAY + 5 * DAY);
  await cloud.start();
  assert.equal(became(await cloud.ledger(job.id)), '30 run, 54 outside, 78 outside, 102 outside');
});

test('a long outage of a secondly job is dealt with piece by piece, and survives to be killed in the midst', async () => {
  await using cloud = await cloudAt(MONDAY);
  const [secondly, hourly] = await cloud.apply(
    jobOf('secondly', { schedule: { every: '1s' } }),
    jobOf('hourly', { schedule: '0 * * * *' }),
  );
  assert.ok(secondly !== undefined && hourly !== undefined);
  await cloud.stop();
  await cloud.clock.set(MONDAY + 6 * HOUR + MINUTE / 2);
  let calls = 0;
  cloud.fault = (call) => (call === 'record' && ++calls > 3 ? 'before' : 'none');
  await cloud.start();
  cloud.crash();
  cloud.fault = () => 'none';
  const watermark = await cloud.store.settings.get<number>('scheduler.decided_until');
  assert.ok(Number(watermark) > MONDAY + 30 * MINUTE, 'a part of it is done for good');
  await cloud.start();
  for (let i = 0; i < 20; i++) await settled();
  await assertWhole(cloud, secondly.id);
  await assertWhole(cloud, hourly.id);
  assert.ok(cloud.mostDecisions <= 6_000, `${cloud.mostDecisions} at a time`);
  const runs = (await cloud.ledger(secondly.id)).filter(({ became: it }) => it.verdict === 'run');
  // The first of all has no host: those after it would overlap.
  assert.deepEqual(
    runs.map(({ dueMs }) => dueMs),
    [MONDAY],
  );
});

test('a job’s runs begin later than due by the same time, for ever', async () => {
  await using cloud = await cloudAt(MONDAY + MINUTE);
  const raw = { schedule: '0 * * * *', jitter: '10m', overlap: 'allow' };
  const [job] = await cloud.apply(jobOf('hourly', raw));
  assert.ok(job !== undefined);
  const host = new SimulatedHost({ clock: cloud.clock });
  host.connect(cloud.leader.dispatcher);
  await cloud.clock.advance(2 * HOUR);
  host.connect((await cloud.restart()).dispatcher);
  await cloud.clock.advance(2 * HOUR);
  const jitterMs = jitterOf(job.id, 10 * MINUTE);
  for (const { dueMs, became: it } of await cloud.ledger(job.id)) {
    assert.ok(it.verdict === 'run');
    const run = await cloud.store.runs.get(it.runKey);
    assert.equal(run?.notBeforeMs, dueMs + jitterMs);
    if (run.state !== 'queued') assert.equal(run.startedMs, dueMs + jitterMs);
  }
});

test('a pause passes by itself, and one that is lifted hinders nothing any more', async () => {
  await using cloud = await cloudAt(MONDAY + 30 * MINUTE);
  const [job] = await cloud.apply(jobOf('hourly', { schedule: '0 * * * *', overlap: 'allow' }));
  assert.ok(job !== undefined);
  const { leader, clock } = cloud;
  const pause = { sinceMs: clock.nowMs(), untilMs: MONDAY + 2 * HOUR + 1, reason: 'maintenance' };
  await leader.pauseJob(job.id, pause);
  await clock.advance(3 * HOUR);
  await leader.pauseEverything({ sinceMs: clock.nowMs(), untilMs: null, reason: 'all of it' });
  await clock.advance(2 * HOUR);
  // What was due until then is decided as it was until then, however late.
  await clock.set(MONDAY + 6 * HOUR + MINUTE);
  await leader.pauseEverything(null);
  await clock.advance(HOUR);
  const entries = await cloud.ledger(job.id);
  assert.equal(became(entries), '1 paused, 2 paused, 3 run, 4 paused, 5 paused, 6 paused, 7 run');
  const details = entries.map(({ became: it }) => (it.verdict === 'run' ? null : it.detail));
  assert.deepEqual([details[0], details[3]], ['maintenance', 'all of it']);
});

test('a pause that is lifted after days of which nothing was decided was one all the same', async () => {
  await using cloud = await cloudAt(MONDAY + 30 * MINUTE);
  const [job] = await cloud.apply(
    jobOf('hourly', { schedule: '0 * * * *', misfire: 'all', overlap: 'allow' }),
  );
  assert.ok(job !== undefined);
  await cloud.leader.pauseJob(job.id, { sinceMs: cloud.clock.nowMs(), untilMs: null, reason: null });
  await cloud.stop();
  await cloud.clock.set(MONDAY + 4 * DAY);
  let isDown = true;
  cloud.fault = (call) => (isDown && call === 'record' ? 'before' : 'none');
  await cloud.start();
  isDown = false;
  await cloud.leader.pauseJob(job.id, null);
  const reasons = new Set(
    became(await cloud.ledger(job.id))
      .split(', ')
      .map((each) => each.split(' ')[1]),
  );
  assert.deepEqual([...reasons], ['paused']);
  await assertWhole(cloud, job.id);
});

test('a shadow is written down and not run; a blackout and what is outside of start and end neither', async () => {
  await using cloud = await cloudAt(MONDAY + 30 * MINUTE);
  const at = (hours: number): string => isoOf(MONDAY + hours * HOUR);
  const [shadow, dark, bounded] = await cloud.apply(
    jobOf('shadow', { schedule: '0 * * * *', shadow: true }),
    jobOf('dark', { schedule: '0 * * * *', overlap: 'allow', blackout: [{ from: at(2), to: at(3) }] }),
    jobOf('bounded', { schedule: '0 * * * *', overlap: 'allow', start: at(2), end: at(3) }),
  );
  await cloud.clock.advance(3 * HOUR);
  const ledgers = await Promise.all(
    [shadow, dark, bounded].map((job) => cloud.ledger(job?.id ?? ('' as JobId))),
  );
  assert.deepEqual(ledgers.map(became), [
    '1 shadow, 2 shadow, 3 shadow',
    '1 run, 2 blackout, 3 run',
    '1 outside, 2 run, 3 outside',
  ]);
});

test('another definition takes over when it is applied, also in the midst of an outage’s rest', async () => {
  await using cloud = await cloudAt(MONDAY + 30 * MINUTE);
  const [job] = await cloud.apply(jobOf('hourly', { schedule: '0 * * * *' }));
  assert.ok(job !== undefined);
  await cloud.stop();
  await cloud.clock.set(MONDAY + 4 * DAY);
  let isDown = true;
  cloud.fault = (call) => (isDown && call === 'record' ? 'before' : 'none');
  await cloud.start();
  await cloud.apply(jobOf('hourly', { schedule: '0 0 1 * *' }));
  isDown = false;
  await cloud.clock.advance(2 * MINUTE);
  await assertWhole(cloud, job.id);
  assert.equal((await cloud.ledger(job.id)).length, 95);
  assert.equal(cloud.leader.ticker.nextOf(job.id), Date.UTC(2026, 1, 1));
});

test('a job that is deleted has its fires until then, though the store fails meanwhile', async () => {
  await using cloud = await cloudAt(MONDAY + 30 * MINUTE);
  const [job] = await cloud.apply(jobOf('hourly', { schedule: '0 * * * *' }));
  assert.ok(job !== undefined);
  let isDown = true;
  cloud.fault = (call) => (isDown && call === 'record' ? 'before' : 'none');
  await cloud.clock.set(MONDAY + 2 * HOUR + 30 * MINUTE);
  await cloud.leader.remove(job);
  await cloud.clock.advance(HOUR);
  isDown = false;
  await cloud.clock.advance(MINUTE);
  assert.equal(became(await cloud.ledger(job.id)), '1 misfire, 2 misfire');
});

test('a definition that comes while it is not known what the store has written is in force after that', async () => {
  await using cloud = await cloudAt(MONDAY + 1);
  const [job] = await cloud.apply(jobOf('job', { schedule: '* * * * *' }));
  assert.ok(job !== undefined);
  let left = 1;
  cloud.fault = (call) => (call === 'record' && left-- > 0 ? 'after' : 'none');
  await cloud.clock.set(MONDAY + MINUTE);
  await cloud.apply(jobOf('job', { schedule: '0 * * * *' }));
  await cloud.clock.advance(2 * MINUTE);
  assert.equal((await cloud.ledger(job.id)).length, 1);
  await assertWhole(cloud, job.id);
});

for (const fault of ['before', 'after'] as const) {
  test(`a store that fails ${fault} it has written loses nothing and doubles nothing`, async () => {
    await using cloud = await cloudAt(MONDAY + MINUTE / 2);
    const host = new SimulatedHost({ clock: cloud.clock });
    host.connect(cloud.leader.dispatcher);
    const jobs = await cloud.apply(
      jobOf('minutely', { schedule: '* * * * *', misfire: 'all', overlap: 'allow' }),
      jobOf('halves', { schedule: { every: '30s' }, overlap: 'queue' }),
      jobOf('replacing', { schedule: { every: '30s' }, overlap: 'replace' }),
    );
    let left = 5;
    cloud.fault = (call) => (call === 'record' && left-- > 0 ? fault : 'none');
    await cloud.clock.advance(10 * MINUTE);
    for (const { id } of jobs) {
      await assertWhole(cloud, id);
      await assertNoneLost(cloud, id);
    }
    const [minutely, , replacing] = await Promise.all(jobs.map(({ id }) => cloud.ledger(id)));
    assert.ok(minutely !== undefined);
    assert.ok(minutely.every((entry) => entry.became.verdict === 'run'));
    for (const { dueMs } of minutely) {
      const key = runKeyOf(jobs[0]?.id ?? ('' as JobId), dueMs);
      assert.equal(host.begun.get(key), 1);
    }
    const runningOfReplacing = host.running.filter((key) =>
      replacing?.some((entry) => entry.became.verdict === 'run' && entry.became.runKey === key),
    );
    assert.equal(runningOfReplacing.length, 1);
  });
}

test('a leader that dies right after the ledger is written, before anything else, doubles nothing', async () => {
  await using cloud = await cloudAt(MONDAY + MINUTE / 2);
  const host = new SimulatedHost({ clock: cloud.clock });
  host.connect(cloud.leader.dispatcher);
  const [job] = await cloud.apply(jobOf('minutely', { schedule: '* * * * *', overlap: 'allow' }));
  assert.ok(job !== undefined);
  for (let i = 0; i < 10; i++) {
    // Whatever follows from it comes to nothing: neither run nor watermark.
    cloud.fault = (call) => (call === 'record' ? 'after' : 'before');
    await cloud.clock.advance(MINUTE);
    cloud.crash();
    cloud.fault = () => 'none';
    host.goAway();
    host.connect((await cloud.start()).dispatcher);
    await settled();
  }
  await assertWhole(cloud, job.id);
  await assertNoneLost(cloud, job.id);
  for (const { dueMs, became: it } of await cloud.ledger(job.id)) {
    assert.equal(it.verdict, 'run');
    assert.equal(host.begun.get(runKeyOf(job.id, dueMs)), 1, new Date(dueMs).toISOString());
  }
});

/** `RUNS=5000` for a night. */
const RUNS = Number(process.env.RUNS ?? 25);

const schedule = fc.constantFrom<object | string>(
  { every: '10s' },
  { every: '7m', offset: '90s' },
  '* * * * *',
  '*/15 * * * *',
  '0 * * * *',
  '30 2 * * *',
  { cron: '0 2 * * *', timezone: 'Europe/Berlin' },
);
const definition = fc.record({
  schedule: fc.oneof(schedule, fc.array(schedule, { minLength: 1, maxLength: 3 }), fc.constant(null)),
  misfire: fc.constantFrom<unknown>('skip', 'once', 'all', { policy: 'all', max: 2 }),
  overlap: fc.constantFrom('skip', 'queue', 'replace', 'allow'),
});
const outageMs = fc.oneof(fc.integer({ min: 1, max: 3 * MINUTE }), fc.integer({ min: 1, max: 30 * HOUR }));
const move = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('apply' as const), job: fc.nat(2), definition }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), job: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pause' as const), job: fc.nat(2), ms: outageMs }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('resume' as const), job: fc.nat(2) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 8 * MINUTE }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('forward' as const), ms: outageMs }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('back' as const), ms: fc.integer({ min: 1, max: 2 * HOUR }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('restart' as const), ms: outageMs }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('crash' as const), ms: outageMs }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('fail' as const),
      faults: fc.array(fc.constantFrom<Fault>('before', 'after'), { maxLength: 4 }),
    }),
  },
);

function withoutNull({ schedule: given, ...rest }: { readonly schedule: unknown }): object {
  return given === null ? rest : { schedule: given, ...rest };
}

test('whatever happens to jobs, leaders, store and clock: the ledger has what the history of the jobs says, and no more', {
  timeout: 120_000 + 1_000 * RUNS,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(move, { maxLength: 30, size: 'max' }), async (moves) => {
      await using cloud = await cloudAt(MONDAY + 17 * SECOND);
      const { clock } = cloud;
      const ids = new Set<JobId>();
      const host = new SimulatedHost({ clock, capacity: 1_000_000 });
      host.connect(cloud.leader.dispatcher);
      let latestMs = clock.nowMs();
      let faults: Fault[] = [];
      for (const each of moves) {
        const names = await cloud.store.jobs.list();
        const job =
          'job' in each ? names.find((known) => known.definition.name === `job${each.job}`) : undefined;
        switch (each.do) {
          case 'apply':
            for (const { id } of await cloud.apply(jobOf(`job${each.job}`, withoutNull(each.definition))))
              ids.add(id);
            break;
          case 'delete':
            if (job !== undefined) await cloud.leader.remove(job);
            break;
          case 'pause':
          case 'resume': {
            if (job === undefined) break;
            const nowMs = clock.nowMs();
            const pause =
              each.do === 'pause' ? { sinceMs: nowMs, untilMs: nowMs + each.ms, reason: null } : null;
            try {
              await cloud.leader.pauseJob(job.id, pause);
            } catch (error) {
              if (!(error instanceof StoreFailure)) throw error;
            }
            break;
          }
          case 'pass':
            await clock.advance(each.ms);
            break;
          case 'forward':
            await clock.set(clock.nowMs() + each.ms);
            break;
          case 'back':
            await clock.set(clock.nowMs() - each.ms);
            break;
          case 'restart':
          case 'crash':
            if (each.do === 'crash') cloud.crash();
            else await cloud.stop();
            host.goAway();
            await clock.set(clock.nowMs() + each.ms);
            host.connect((await cloud.start()).dispatcher);
            break;
          case 'end':
            for (const key of host.running) host.end(key, 'succeeded');
            break;
          case 'fail':
            faults = [...each.faults];
            cloud.fault = (call) => (call === 'commit' ? 'none' : (faults.shift() ?? 'none'));
        }
        latestMs = Math.max(latestMs, clock.nowMs());
      }
      cloud.fault = () => 'none';
      await clock.set(latestMs + 3 * SECOND);
      await clock.advance(2 * MINUTE);
      for (const id of ids) {
        await assertWhole(cloud, id);
        await assertNoneLost(cloud, id);
      }
      for (const [key, count] of host.begun) assert.equal(count, 1, `${key} was begun ${count} times`);
    }),
    { numRuns: RUNS },
  );
});
