// An hour at 100 runs a second, by a clock that is turned: scheduled and asked for, over simulated hosts. Is the memory at its
// end within 10% of that after ten minutes?   npm run bench -- hour [--minutes N]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pino from 'pino';
import type { HostLink } from '../src/cloud/dispatch/index.ts';
import { specOf } from '../src/cloud/dispatch/index.ts';
import { TestClock } from '../src/cloud/fixtures/test-clock.ts';
import { definitionOf, parseJobs } from '../src/cloud/jobs/index.ts';
import { Leader } from '../src/cloud/leader/index.ts';
import { WORKER_FLAGS } from '../src/cloud/server/index.ts';
import { openStore, type RunKey } from '../src/cloud/store/index.ts';
import type { RunView } from '../src/wire/index.ts';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '60' } } });
const SCHEDULED = 50;
const ASKED_FOR = 50;
const KEPT_RUNS = 20_000;
/** V8's own garbage is not what is looked for. */
const gc = globalThis.gc;
if (gc === undefined) {
  const { spawnSync } = await import('node:child_process');
  const { status } = spawnSync(process.execPath, [...WORKER_FLAGS, ...process.argv.slice(1)], {
    stdio: 'inherit',
  });
  process.exit(status ?? 1);
}

const folder = mkdtempSync(join(tmpdir(), 'rocksy-hour-'));
const clock = new TestClock(Date.UTC(2026, 0, 1));
const fail = (error: unknown): never => {
  throw error;
};
const store = await openStore(`sqlite:${join(folder, 'store.db')}`, { schema: 'create', onIdleError: fail });
const leader = await Leader.start({
  store,
  clock,
  log: pino({ level: 'warn' }),
  version: 'bench',
  holder: 'bench',
  isAlone: true,
  silentAfterMs: 60_000,
  lostAfterMs: 60_000,
  maxQueued: 100_000,
  allowsCommands: false,
  deposed: fail,
});
if (leader === null) throw new Error('somebody else leads');
const { dispatcher } = leader;
let ended = 0;
for (let i = 0; i < 20; i++) addHost(`host-${i}`);

function addHost(id: string): void {
  const slot = dispatcher.hosts.slot(id, id);
  slot.capacity = 100;
  slot.pools = new Set(['os']);
  const link: HostLink = {
    async request(name, fields) {
      if (name !== 'run') return {};
      const { key } = fields as { readonly key: string };
      setImmediate(() => {
        ended++;
        dispatcher.hostReports(slot, view(key, 'ended'));
      });
      return { run: view(key, 'running') };
    },
  };
  dispatcher.hostConnected(slot, link, []);
}

function view(key: string, state: 'running' | 'ended'): RunView {
  const nowMs = clock.nowMs();
  const isOver = state === 'ended';
  return {
    ...{ key, state, signal: null, error: null, result: null, queued_ms: nowMs, started_ms: nowMs },
    ...{ outcome: isOver ? 'succeeded' : null, code: isOver ? 0 : null, ended_ms: isOver ? nowMs : null },
  } as unknown as RunView;
}

const jobs = Array.from(
  { length: SCHEDULED },
  (_, i) => `  j${i}: { argv: ["true"], pool: os, schedule: { every: 1s }, overlap: allow }`,
);
await leader.apply(parseJobs(`project: p\njobs:\n${jobs.join('\n')}\n`, 'hour.yaml'), {
  by: 'bench',
  prune: [],
  dryRun: false,
});
const spec = specOf(definitionOf('p', { argv: ['true'], pool: 'os' }));
let made = 0;

function ask(): void {
  const nowMs = clock.nowMs();
  void dispatcher.add({
    key: `asked-${made++}` as RunKey,
    ...{ jobId: null, job: null, jobVersion: null, project: 'p', pool: 'os', spec, priority: 0, dueMs: null },
    cause: { kind: 'api', ref: 'bench' },
    queuedMs: nowMs,
    notBeforeMs: nowMs,
  });
}

/** Heap and what lies outside of it, in MB, with all garbage gone. */
function memory(): { readonly heap: number; readonly rss: number } {
  gc?.();
  gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: (heapUsed + external) / 1e6, rss: rss / 1e6 };
}

const minutes = Number(values.minutes);
let early = memory();
for (let minute = 1; minute <= minutes; minute++) {
  for (let second = 0; second < 60; second++) {
    for (let i = 0; i < ASKED_FOR; i++) ask();
    await clock.advance(1_000);
    while (dispatcher.activeCount > 0) await new Promise((resolve) => setImmediate(resolve));
    await leader.commits.flush();
  }
  while ((await store.runs.expire({ beforeMs: 0, keep: KEPT_RUNS, limit: 1000 })) === 1000);
  await store.events.expire(1_000);
  if (minute === 10) early = memory();
  if (minute % 10 === 0) {
    const { heap, rss } = memory();
    console.log(
      `minute ${minute}: ${ended} runs ended, heap ${heap.toFixed(1)} MB, resident ${rss.toFixed(0)} MB`,
    );
  }
}
const late = memory();
const grown = (late.heap / early.heap - 1) * 100;
console.log(
  `heap after ten minutes ${early.heap.toFixed(1)} MB, at the end ${late.heap.toFixed(1)} MB: ${grown.toFixed(1)}%; resident ${early.rss.toFixed(0)} → ${late.rss.toFixed(0)} MB`,
);
process.exitCode = grown <= 10 ? 0 : 1;
await leader[Symbol.asyncDispose]();
await store[Symbol.asyncDispose]();
rmSync(folder, { recursive: true, force: true });
process.exit();
