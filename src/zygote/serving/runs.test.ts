import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChildEnd } from '../../posix/index.ts';
import type { RunEvent } from '../contract.ts';
import { GIVE_UP_MS } from './leftovers.ts';
import type { Report } from './reports.ts';
import type { RunStart } from './request.ts';
import { latestEvent } from './run.ts';
import { Runs, type System } from './runs.ts';

const CLAIM_TIMEOUT_MS = 100;

/** A small world: its clock moves when told to, its processes die when told to. */
class World implements System<RunStart> {
  readonly events: RunEvent[] = [];
  readonly signals: string[] = [];
  readonly lines: string[] = [];
  readonly strangers = new Set<number>();
  readonly runs: Runs<RunStart>;
  canFork = true;
  forksLater = false;
  readonly #births: (() => void)[] = [];
  #now = 0;
  #lastPid = 100;
  #timers: { at: number; act: () => void }[] = [];
  #zombies: ChildEnd[] = [];
  #reports: Report[] = [];
  #mains = new Set<number>();

  constructor(leaveChildren = false) {
    this.runs = new Runs(
      this,
      { claimTimeoutMs: CLAIM_TIMEOUT_MS, leaveChildren },
      {
        changed: (key) => {
          const run = this.runs.get(key);
          const event = run === undefined ? null : latestEvent(run);
          if (event !== null) this.events.push(event);
        },
        refused: (key, refusal) => this.events.push({ event: 'refused', key, ...refusal }),
      },
    );
  }

  spawn(_start: RunStart, born: (child: number | Error) => void): void {
    const birth = (): void => {
      if (this.canFork) this.#mains.add(++this.#lastPid);
      born(this.canFork ? this.#lastPid : new Error('EAGAIN'));
    };
    if (this.forksLater) this.#births.push(birth);
    else birth();
  }
  /** What was asked for and not made. */
  makeChildren(): void {
    for (const birth of this.#births.splice(0)) birth();
  }
  signal(pid: number, signal: number): boolean {
    this.signals.push(`${signal} to ${pid}`);
    return true;
  }
  reap(): ChildEnd | null {
    const end = this.#zombies.shift() ?? null;
    if (end !== null) {
      this.#mains.delete(end.pid);
      this.strangers.delete(end.pid);
    }
    return end;
  }
  children(): number[] {
    return [...this.#mains, ...this.strangers];
  }
  readReports(): void {
    for (const report of this.#reports.splice(0)) this.runs.report(report);
  }
  noteExit(file: string, code: number): void {
    this.lines.push(`${file}: exit ${code}`);
  }
  nowMs(): number {
    return this.#now;
  }
  after(ms: number, act: () => void): () => void {
    const timer = { at: this.#now + ms, act };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  pass(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#now = next.at;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      next.act();
    }
    this.#now = until;
  }
  get timers(): number {
    return this.#timers.length;
  }
  /** Written, not read yet. */
  writes(pid: number, problem: string | null = null): void {
    const step = problem === null ? 'claimed' : 'unclaimed';
    this.#reports.push({ spawned: pid, pid, step, problem: problem ?? '' });
  }
  /** What was started has forked the main process, and said so. */
  forks(spawned: number, pid: number): void {
    this.#mains.add(pid);
    this.#reports.push({ spawned, pid, step: 'child', problem: '' });
  }
  claims(pid: number): void {
    this.writes(pid);
    this.readReports();
  }
  dies(pid: number, code: number | null, signal: number | null = null): void {
    this.#zombies.push({ pid, code, signal, cpuUserMs: 1, cpuSystemMs: 2, maxRssBytes: 3 });
  }
  ends(pid: number, code: number | null, signal: number | null = null): void {
    this.dies(pid, code, signal);
    this.runs.reap();
  }
  get last(): RunEvent | undefined {
    return this.events.at(-1);
  }
}

function command(key: string, more: Partial<RunStart> = {}): RunStart {
  return {
    key,
    file: key,
    env: {},
    cwd: '',
    stdin: null,
    log: 'l',
    timeoutMs: null,
    killAfterMs: 50,
    ...more,
  };
}

const ended = {
  event: 'ended',
  key: 'a',
  pid: 101,
  signal: null,
  reason: null,
  claimed: true,
  cpu_user_ms: 1,
  cpu_system_ms: 2,
  max_rss_bytes: 3,
};

test('a run is forked, claimed, ended, and forgotten when acknowledged', () => {
  const world = new World();
  world.runs.start(command('a'));
  world.claims(101);
  world.runs.acknowledge('a');
  assert.deepEqual(world.runs.counts, { running: 1, forks: 1 });
  world.ends(101, 3);
  assert.deepEqual(world.events, [
    { event: 'forked', key: 'a', pid: 101 },
    { event: 'claimed', key: 'a', pid: 101 },
    { ...ended, code: 3 },
  ]);
  assert.deepEqual(world.lines, ['a: exit 3']);
  assert.deepEqual(world.runs.counts, { running: 0, forks: 1 });
  world.runs.acknowledge('a');
  assert.equal(world.runs.size, 0);
  assert.equal(world.timers, 0);
});

test('a claim that was written before the end counts, whichever is read first', () => {
  const world = new World();
  world.runs.start(command('a'));
  world.writes(101);
  world.ends(101, 0);
  assert.deepEqual(
    world.events.map(({ event }) => event),
    ['forked', 'claimed', 'ended'],
  );
});

test('a child that dies before its claim is said to have run nothing', () => {
  const world = new World();
  world.runs.start(command('a'));
  world.ends(101, null, 9);
  assert.deepEqual(world.last, {
    ...ended,
    code: null,
    signal: 9,
    claimed: false,
    message: 'the child ended of signal 9 before user code',
  });
  assert.deepEqual(world.lines, []);
});

test('a child that does not claim in time is killed and replaced, three times; then the run is given up', () => {
  const world = new World();
  world.runs.start(command('a'));
  for (const pid of [101, 102, 103, 104]) {
    assert.deepEqual(world.last, { event: 'forked', key: 'a', pid });
    world.pass(CLAIM_TIMEOUT_MS);
    assert.equal(world.signals.at(-1), `9 to ${pid}`);
    world.ends(pid, null, 9);
  }
  assert.ok(world.last?.event === 'ended' && !world.last.claimed && world.last.pid === 104);
  assert.equal(world.last.message, '4 children, one after the other, did not claim the key within 100 ms');
  assert.equal(world.runs.counts.forks, 4);
  assert.equal(world.timers, 0);
});

test('a replacement that claims is the run', () => {
  const world = new World();
  world.runs.start(command('a'));
  world.pass(CLAIM_TIMEOUT_MS);
  world.ends(101, null, 9);
  world.claims(102);
  world.pass(CLAIM_TIMEOUT_MS * 10);
  world.ends(102, 0);
  assert.deepEqual(world.last, { ...ended, pid: 102, code: 0 });
});

test('a claim that waits to be read is in time', () => {
  const world = new World();
  world.runs.start(command('a'));
  world.writes(101);
  world.pass(CLAIM_TIMEOUT_MS);
  assert.deepEqual(world.signals, []);
  assert.equal(world.last?.event, 'claimed');
});

test('a late child that claims before SIGKILL arrives is not replaced: its run has begun', () => {
  const world = new World();
  world.runs.start(command('a'));
  world.pass(CLAIM_TIMEOUT_MS);
  world.writes(101);
  world.ends(101, null, 9);
  assert.ok(world.last?.event === 'ended' && world.last.claimed && world.last.signal === 9);
  assert.match(world.last.message ?? '', /not claimed the key within/);
  assert.equal(world.runs.counts.forks, 1);
});

test('a late child is not replaced when the run was cancelled meanwhile', () => {
  const world = new World();
  world.runs.start(command('a'));
  world.pass(CLAIM_TIMEOUT_MS);
  assert.equal(world.runs.cancel('a', 10, 'cancel'), true);
  world.ends(101, null, 9);
  assert.ok(world.last?.event === 'ended' && !world.last.claimed && world.last.reason === 'cancel');
  assert.equal(world.last.message, 'cancel before user code');
});

test('a replacement that can’t be forked ends the run', () => {
  const world = new World();
  world.runs.start(command('a'));
  world.pass(CLAIM_TIMEOUT_MS);
  world.canFork = false;
  world.ends(101, null, 9);
  assert.ok(world.last?.event === 'ended' && !world.last.claimed);
  assert.match(world.last.message ?? '', /EAGAIN/);
});

test('a fork that fails is refused and leaves no trace', () => {
  const world = new World();
  world.canFork = false;
  world.runs.start(command('a'));
  assert.deepEqual(world.events, [{ event: 'refused', key: 'a', code: 'fork_failed', message: 'EAGAIN' }]);
  assert.equal(world.runs.size, 0);
});

test('a run whose child is still to be made is known, and there is nothing to tell of it', () => {
  const world = new World();
  world.forksLater = true;
  world.runs.start(command('a'));
  world.runs.start(command('a'));
  const run = world.runs.get('a');
  assert.equal(run && latestEvent(run), null);
  assert.equal(world.runs.signal('a', 10), false);
  world.makeChildren();
  world.claims(101);
  world.ends(101, 0);
  assert.deepEqual(
    world.events.map(({ event }) => event),
    ['refused', 'forked', 'claimed', 'ended'],
  );
});

test('a cancel before there is a child reaches the child', () => {
  const world = new World();
  world.forksLater = true;
  world.runs.start(command('a'));
  assert.equal(world.runs.cancel('a', 1000, 'replaced'), true);
  assert.deepEqual(world.signals, []);
  world.makeChildren();
  assert.deepEqual(world.signals, ['15 to 101']);
  world.ends(101, null, 15);
  assert.partialDeepStrictEqual(world.last, { signal: 15, reason: 'replaced', claimed: false });
  assert.equal(world.timers, 0);
});

test('a timeout counts from the claim: SIGTERM, then SIGKILL', () => {
  const world = new World();
  world.runs.start(command('a', { timeoutMs: 1000 }));
  world.pass(90);
  world.claims(101);
  world.pass(999);
  assert.deepEqual(world.signals, []);
  world.pass(1);
  assert.deepEqual(world.signals, ['15 to 101']);
  world.pass(50);
  assert.deepEqual(world.signals, ['15 to 101', '9 to 101']);
  world.ends(101, null, 9);
  assert.ok(world.last?.event === 'ended' && world.last.reason === 'timeout');
});

test('a second cancel can only bring the kill forward, and the first reason stays', () => {
  const world = new World();
  world.runs.start(command('a'));
  world.claims(101);
  world.runs.cancel('a', 1000, 'one');
  world.pass(100);
  world.runs.cancel('a', 10_000, 'two');
  world.runs.cancel('a', 200, 'three');
  world.pass(199);
  assert.ok(!world.signals.includes('9 to 101'));
  world.pass(1);
  assert.ok(world.signals.includes('9 to 101'));
  world.ends(101, 0);
  assert.ok(world.last?.event === 'ended' && world.last.reason === 'one' && world.last.code === 0);
  assert.deepEqual(world.lines, [], 'a code after a cancel says little');
  assert.equal(world.timers, 0);
});

test('nobody is signalled once it was reaped: its pid may be somebody else’s', () => {
  const world = new World();
  world.runs.start(command('a', { timeoutMs: 10, killAfterMs: 10 }));
  world.claims(101);
  world.strangers.add(900);
  world.ends(101, 0);
  assert.equal(world.runs.signal('a', 15), false);
  assert.equal(world.runs.cancel('a', 1, 'cancel'), false);
  world.pass(1000);
  assert.deepEqual(world.signals, ['9 to 900']);
});

test('a run ends when all that it left behind is gone, and what that leaves behind too', () => {
  const world = new World();
  world.runs.start(command('a'));
  world.claims(101);
  world.strangers.add(900);
  world.ends(101, 0);
  assert.equal(world.last?.event, 'claimed');
  assert.deepEqual(world.signals, ['9 to 900']);
  world.strangers.add(901);
  world.ends(900, null, 9);
  assert.equal(world.last?.event, 'claimed');
  world.ends(901, null, 9);
  assert.deepEqual(world.last, { ...ended, code: 0 });
});

test('what can’t be killed delays a run for two seconds, and later runs not at all', () => {
  const world = new World();
  for (const key of ['a', 'b', 'c']) world.runs.start(command(key));
  for (const pid of [101, 102, 103]) world.claims(pid);
  world.strangers.add(900);
  world.ends(101, 0);
  world.pass(GIVE_UP_MS / 2);
  world.ends(102, 0);
  assert.equal(world.last?.event, 'claimed');
  world.pass(GIVE_UP_MS / 2);
  assert.deepEqual(
    world.events.slice(-2).map(({ event, key }) => `${key} ${event}`),
    ['a ended', 'b ended'],
  );
  world.ends(103, 0);
  assert.deepEqual(world.events.slice(-1), [{ ...ended, key: 'c', pid: 103, code: 0 }]);
  assert.deepEqual(world.signals, ['9 to 900']);
  assert.equal(world.timers, 0);
});

test('a pid that comes back as another leftover is killed again', () => {
  const world = new World();
  world.strangers.add(900);
  world.runs.reap();
  world.dies(900, null, 9);
  world.runs.reap();
  world.strangers.add(900);
  world.runs.reap();
  assert.deepEqual(world.signals, ['9 to 900', '9 to 900']);
});

test('with leave_children nobody is killed and a run ends with its main process', () => {
  const world = new World(true);
  world.runs.start(command('a'));
  world.claims(101);
  world.strangers.add(900);
  world.ends(101, 0);
  assert.deepEqual(world.last, { ...ended, code: 0 });
  world.ends(900, 0);
  assert.deepEqual(world.signals, []);
});

test('a probe is nobody’s run', () => {
  const world = new World();
  const problems: (string | null)[] = [];
  for (const code of [0, 3]) world.runs.probe(command(`p${code}`), (problem) => problems.push(problem));
  world.claims(101);
  world.claims(102);
  world.ends(101, 0);
  world.ends(102, 3);
  assert.deepEqual(problems, [null, 'the probe ended with code 3']);
  assert.deepEqual(world.events, []);
  assert.equal(world.runs.size, 0);
});

test('the child that the shim has forked is the run, and the end of the shim is none', () => {
  const world = new World();
  world.runs.start(command('a'));
  world.forks(101, 201);
  world.ends(101, 0);
  assert.deepEqual(world.signals, []);
  world.claims(201);
  world.ends(201, 3);
  assert.deepEqual(world.last, { ...ended, pid: 201, code: 3 });
});

test('a cancel that came before the shim had forked reaches the child', () => {
  const world = new World();
  world.runs.start(command('a'));
  world.runs.cancel('a', 10, 'cancel');
  world.forks(101, 201);
  world.ends(101, 0);
  assert.deepEqual(world.signals, ['15 to 101', '15 to 201']);
  world.pass(10);
  assert.equal(world.signals.at(-1), '9 to 201');
});

test('a signal goes to the child of a shim that is about to leave', () => {
  const world = new World();
  world.runs.start(command('a'));
  world.forks(101, 201);
  assert.equal(world.runs.signal('a', 10), true);
  assert.deepEqual(world.signals, ['10 to 201']);
});

test('a signal that met a shim on its way out goes to its child as well', () => {
  const world = new World();
  world.runs.start(command('a'));
  const signal = world.signal.bind(world);
  world.signal = (pid, number) => {
    if (pid === 101) world.forks(101, 201);
    return signal(pid, number);
  };
  assert.equal(world.runs.signal('a', 10), true);
  assert.deepEqual(world.signals, ['10 to 101', '10 to 201']);
});

test('a child that was reaped with its shim, before either was heard of, is not signalled', () => {
  const world = new World();
  world.runs.start(command('a'));
  world.runs.cancel('a', 1000, 'cancel');
  world.forks(101, 201);
  world.dies(101, 0);
  world.dies(201, 0);
  world.runs.reap();
  assert.deepEqual(world.signals, ['15 to 101']);
  assert.ok(world.last?.event === 'ended' && world.last.pid === 201 && world.last.reason === 'cancel');
});
