import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fileOfKey, type OutcomeName, parseKey } from '../../wire/index.ts';
import { change, type Exit, NO_REPORT, type Report, type Run, type RunChange, retcode } from './run.ts';

const key = parseKey('k') ?? assert.fail();
const identity = {
  key,
  file: fileOfKey(key),
  pool: 'os',
  job: null,
  origin: 'local' as const,
  spec: { argv: ['true'] },
  queuedMs: 1,
};
const QUEUED: Run = { identity, phase: { state: 'queued' } };

const usage = { cpuUserMs: 1, cpuSystemMs: 2, maxRssBytes: 3 };
const generation = fc.integer({ min: 1, max: 3 });
const atMs = fc.nat();
const ending = fc.oneof(
  fc.record({ code: fc.integer({ min: 0, max: 255 }), signal: fc.constant(null) }),
  fc.record({ code: fc.constant(null), signal: fc.integer({ min: 1, max: 64 }) }),
);
const exit: fc.Arbitrary<Exit> = fc
  .tuple(ending, fc.constantFrom(null, 'timeout', 'cancel', 'stop'))
  .map(([end, reason]) => ({ ...end, reason, usage }));
const report: fc.Arbitrary<Report> = fc.record({
  error: fc.option(fc.string()),
  result: fc.constantFrom(null, 1, 'text'),
  progress: fc.constantFrom(null, { percent: 40, text: 'going' }),
  exit: fc.option(fc.integer({ min: 0, max: 255 })),
});
const anyChange: fc.Arbitrary<RunChange> = fc.oneof(
  fc.record({ type: fc.constant('sent' as const), generation }),
  fc.record({ type: fc.constant('returned' as const) }),
  fc.record({ type: fc.constant('claimed' as const), generation, pid: fc.constant(42), atMs }),
  fc.record({ type: fc.constant('exited' as const), exit, report, atMs }),
  fc.record({
    type: fc.constant('abandoned' as const),
    outcome: fc.constantFrom('failed' as const, 'cancelled' as const),
    error: fc.string(),
    atMs,
  }),
  fc.record({ type: fc.constant('lost' as const), error: fc.string(), report, atMs }),
);

/** The states that each state may be left for. */
const ALLOWED: Readonly<Record<Run['phase']['state'], readonly string[]>> = {
  queued: ['starting', 'running', 'ended'],
  starting: ['queued', 'running', 'ended'],
  running: ['ended'],
  ended: [],
};

/** Every state that a run goes through, its first one included. */
function history(changes: readonly RunChange[]): Run[] {
  const all = [QUEUED];
  for (const to of changes) {
    const next = change(all.at(-1) ?? QUEUED, to);
    if (next !== null) all.push(next);
  }
  return all;
}

test('whatever news come in whatever order, a run goes on only as it may', () => {
  fc.assert(
    fc.property(fc.array(anyChange, { maxLength: 20 }), (changes) => {
      const runs = history(changes);
      for (const [index, run] of runs.slice(1).entries()) {
        const before = runs[index]?.phase.state ?? 'queued';
        assert.ok(ALLOWED[before].includes(run.phase.state), `${before} → ${run.phase.state}`);
        assert.equal(run.identity, identity);
      }
    }),
    { numRuns: 3_000 },
  );
});

test('a run ends at most once, and nothing changes it afterwards', () => {
  fc.assert(
    fc.property(fc.array(anyChange, { maxLength: 20 }), anyChange, (changes, late) => {
      const runs = history(changes);
      const ended = runs.filter(({ phase }) => phase.state === 'ended');
      assert.ok(ended.length <= 1);
      const [end] = ended;
      if (end === undefined) return;
      assert.equal(runs.at(-1), end);
      assert.equal(change(end, late), null);
    }),
    { numRuns: 3_000 },
  );
});

test('news that come twice change nothing the second time', () => {
  fc.assert(
    fc.property(fc.array(anyChange, { maxLength: 10 }), anyChange, (changes, to) => {
      const once = change(history(changes).at(-1) ?? QUEUED, to);
      if (once !== null) assert.equal(change(once, to), null);
    }),
  );
});

test('a run that runs to its end keeps generation, pid and times', () => {
  const runs = history([
    { type: 'sent', generation: 2 },
    { type: 'claimed', generation: 2, pid: 42, atMs: 10 },
    {
      type: 'exited',
      exit: { code: 0, signal: null, reason: null, usage },
      report: { ...NO_REPORT, result: 5, progress: { percent: 100, text: '' } },
      atMs: 20,
    },
  ]);
  assert.deepEqual(
    runs.map(({ phase }) => phase.state),
    ['queued', 'starting', 'running', 'ended'],
  );
  assert.deepEqual(runs.at(-1)?.phase, {
    state: 'ended',
    generation: 2,
    pid: 42,
    startedMs: 10,
    outcome: { name: 'succeeded', code: 0, signal: null, error: null, result: 5, endedMs: 20, usage },
    progress: { percent: 100, text: '' },
  });
});

test('a run that a zygote gave back waits again, and may be sent to another generation', () => {
  const runs = history([
    { type: 'sent', generation: 1 },
    { type: 'returned' },
    { type: 'sent', generation: 2 },
  ]);
  assert.deepEqual(
    runs.map(({ phase }) => phase),
    [
      { state: 'queued' },
      { state: 'starting', generation: 1 },
      { state: 'queued' },
      { state: 'starting', generation: 2 },
    ],
  );
});

test('a run that has begun is given back no more', () => {
  const running = history([{ type: 'claimed', generation: 1, pid: 42, atMs: 1 }]).at(-1) ?? QUEUED;
  assert.equal(change(running, { type: 'returned' }), null);
  assert.equal(change(running, { type: 'sent', generation: 2 }), null);
});

/** The outcome of a running run by these news. */
function outcomeBy(to: RunChange): { name: OutcomeName; error: string | null; retcode: number } {
  const run = history([{ type: 'claimed', generation: 1, pid: 42, atMs: 1 }, to]).at(-1);
  if (run?.phase.state !== 'ended') assert.fail('it has not ended');
  const { outcome } = run.phase;
  return { name: outcome.name, error: outcome.error, retcode: retcode(outcome) };
}

test('every exit has its name and its retcode', () => {
  const cases: readonly [Partial<Exit>, OutcomeName, number][] = [
    [{ code: 0 }, 'succeeded', 0],
    [{ code: 3 }, 'failed', 3],
    [{ code: 255 }, 'failed', 255],
    [{ signal: 9 }, 'killed', 137],
    [{ signal: 11 }, 'killed', 139],
    [{ signal: 15, reason: 'timeout' }, 'timed_out', 124],
    [{ code: 0, reason: 'timeout' }, 'timed_out', 124],
    [{ signal: 15, reason: 'cancel' }, 'cancelled', 143],
    [{ signal: 9, reason: 'cancel' }, 'cancelled', 137],
    [{ code: 4, reason: 'cancel' }, 'cancelled', 4],
    [{ signal: 15, reason: 'stop' }, 'killed', 143],
    [{ code: 0, reason: 'stop' }, 'succeeded', 0],
  ];
  for (const [end, name, code] of cases) {
    const to: RunChange = {
      type: 'exited',
      exit: { code: null, signal: null, reason: null, usage, ...end },
      report: NO_REPORT,
      atMs: 2,
    };
    const outcome = outcomeBy(to);
    assert.deepEqual([outcome.name, outcome.retcode], [name, code], JSON.stringify(end));
  }
});

test('nothing but an exit with 0 is told as 0, but a cancelled run that exits with 0', () => {
  fc.assert(
    fc.property(anyChange, (to) => {
      const run = change(QUEUED, to);
      if (run?.phase.state !== 'ended') return;
      const { outcome } = run.phase;
      const code = retcode(outcome);
      assert.ok(Number.isInteger(code) && code >= 0 && code <= 255);
      if (code === 0)
        assert.ok(outcome.name === 'succeeded' || (outcome.name === 'cancelled' && outcome.code === 0));
    }),
    { numRuns: 3_000 },
  );
});

test('a run that nobody reaped is lost, unless it wrote down its exit as its last act', () => {
  const lost = (report: Report): RunChange => ({ type: 'lost', error: 'nobody knows', report, atMs: 2 });
  assert.deepEqual(outcomeBy(lost(NO_REPORT)), { name: 'lost', error: 'nobody knows', retcode: 255 });
  assert.deepEqual(outcomeBy(lost({ ...NO_REPORT, error: 'its own words' })), {
    name: 'lost',
    error: 'its own words',
    retcode: 255,
  });
  assert.equal(outcomeBy(lost({ ...NO_REPORT, exit: 0 })).name, 'succeeded');
  assert.deepEqual(outcomeBy(lost({ ...NO_REPORT, exit: 7 })), { name: 'failed', error: null, retcode: 7 });
});

test('a run that never began has its reason, and is not told as a success', () => {
  const failed = outcomeBy({ type: 'abandoned', outcome: 'failed', error: 'no room', atMs: 2 });
  assert.deepEqual(failed, { name: 'failed', error: 'no room', retcode: 255 });
  const cancelled = outcomeBy({ type: 'abandoned', outcome: 'cancelled', error: 'not wanted', atMs: 2 });
  assert.deepEqual(cancelled, { name: 'cancelled', error: 'not wanted', retcode: 143 });
});

test("a timeout's error is the run's own where it had one", () => {
  const exit: Exit = { code: null, signal: 15, reason: 'timeout', usage: null };
  const by = (report: Report) => outcomeBy({ type: 'exited', exit, report, atMs: 2 }).error;
  assert.equal(by(NO_REPORT), 'The run took longer than its timeout');
  assert.equal(by({ ...NO_REPORT, error: 'its own words' }), 'its own words');
});
