// How fast the journal promises: whole runs (accept, starting, running, ended) and bare accepts, by how many are in
// flight; what reads cost among 100,000 runs. Compared with what the disk does at best (a write of 8 KiB and fdatasync,
// one after the other) and with node:sqlite in the main thread, one commit per run.
//   node bench/journal.ts [FOLDER]      the folder decides which disk is measured; the default is the temporary folder
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { DatabaseSync } from 'node:sqlite';
import Table from 'cli-table3';
import { Journal } from '../src/daemon/journal/index.ts';
import type { Phase, Run } from '../src/daemon/runs/index.ts';
import { fileOfKey, type RunKey } from '../src/wire/index.ts';

const SECONDS = 3;
const folder = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'rocksy-bench-'));
const table = new Table({
  style: { head: [], border: [], compact: true },
  head: ['what', 'runs/s', 'commits/s', 'runs per commit', 'p50 ms', 'p99 ms', 'longest stall ms'],
});

function aRun(name: string): Run {
  const key = name as RunKey;
  const spec = {
    class: 'App\\Job\\SendReport',
    params: [12345, { customer: 'ACME', month: '2026-01' }],
    timeout_ms: 60_000,
  };
  const identity = {
    key,
    file: fileOfKey(key),
    pool: 'web',
    job: null,
    origin: 'local' as const,
    spec,
    queuedMs: Date.now(),
  };
  return { identity, phase: { state: 'queued' } };
}

const ENDED: Phase = {
  state: 'ended',
  generation: 1,
  pid: 4711,
  startedMs: 1,
  outcome: {
    name: 'succeeded',
    code: 0,
    signal: null,
    error: null,
    result: null,
    endedMs: 2,
    usage: { cpuUserMs: 1.25, cpuSystemMs: 0.5, maxRssBytes: 33_554_432 },
  },
  progress: null,
};

function quantile(times: number[], q: number): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * q)] ?? Number.NaN;
}

function row(what: string, times: number[], seconds: number, commits: number, stallMs: number | null): void {
  table.push([
    what,
    Math.round(times.length / seconds),
    Math.round(commits / seconds),
    (times.length / commits).toFixed(1),
    quantile(times, 0.5).toFixed(3),
    quantile(times, 0.99).toFixed(3),
    stallMs === null ? '' : stallMs.toFixed(1),
  ]);
}

function theDisk(): void {
  const file = openSync(join(folder, 'plain'), 'w');
  const page = Buffer.alloc(8192);
  const times: number[] = [];
  const begin = performance.now();
  while (performance.now() - begin < SECONDS * 1000) {
    const at = performance.now();
    writeSync(file, page);
    fdatasyncSync(file);
    times.push(performance.now() - at);
  }
  closeSync(file);
  row('the disk: write 8 KiB, fdatasync', times, SECONDS, times.length, null);
}

function inTheMainThread(): void {
  using db = new DatabaseSync(join(folder, 'plain.db'));
  db.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE run (key TEXT PRIMARY KEY, spec TEXT)',
  );
  const insert = db.prepare('INSERT INTO run VALUES (?, ?)');
  const times: number[] = [];
  const begin = performance.now();
  while (performance.now() - begin < SECONDS * 1000) {
    const at = performance.now();
    insert.run(`k${times.length}`, JSON.stringify(aRun('k').identity.spec));
    times.push(performance.now() - at);
  }
  row('node:sqlite in the main thread', times, SECONDS, times.length, null);
}

async function acceptOnly(journal: Journal, name: string): Promise<void> {
  await journal.accept(aRun(name));
}

async function wholeRun(journal: Journal, name: string): Promise<void> {
  const { identity } = aRun(name);
  await journal.accept({ identity, phase: { state: 'queued' } });
  await journal.record({ identity, phase: ENDED });
}

async function lanes(what: string, count: number, one: typeof acceptOnly): Promise<void> {
  const dir = mkdtempSync(join(folder, 'journal-'));
  let commits = 0;
  await using journal = await Journal.open({
    dir,
    log: (_level, message) => console.error(message),
    tuning: { onThread: (thread) => thread.on('message', () => commits++) },
  });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const times: number[] = [];
  const begin = performance.now();
  const lane = async (number: number): Promise<void> => {
    for (let i = 0; performance.now() - begin < SECONDS * 1000; i++) {
      const at = performance.now();
      await one(journal, `${number}-${i}`);
      times.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: count }, (_, number) => lane(number)));
  delay.disable();
  row(`${what}, ${count} in flight`, times, (performance.now() - begin) / 1000, commits, delay.max / 1e6);
}

async function reads(): Promise<void> {
  const total = 100_000;
  const dir = mkdtempSync(join(folder, 'journal-'));
  await using journal = await Journal.open({
    dir,
    log: (_level, message) => console.error(message),
    tuning: { maxPending: total },
  });
  const name = (i: number): string => `${(i * 2654435761) % 2 ** 32}-${i}`;
  await Promise.all(Array.from({ length: total }, (_, i) => journal.accept(aRun(name(i)))));
  const measure = (what: string, count: number, read: (i: number) => unknown): void => {
    const times: number[] = [];
    for (let i = 0; i < count; i++) {
      const at = performance.now();
      read(i);
      times.push(performance.now() - at);
    }
    console.log(
      `${what}: p50 ${quantile(times, 0.5).toFixed(4)} ms, p99 ${quantile(times, 0.99).toFixed(4)} ms`,
    );
  };
  console.log(`\nReads among ${total} runs:`);
  measure('get', 50_000, (i) => journal.get(name((i * 7919) % total) as RunKey));
  measure('list of 100', 500, () => journal.list({ limit: 100, state: 'active', pool: 'web' }));
  measure('counts, all active', 100, () => journal.counts());
  await Promise.all(
    Array.from({ length: total }, (_, i) => journal.record({ ...aRun(name(i)), phase: ENDED })),
  );
  measure('counts, all ended', 100, () => journal.counts());
  const begin = performance.now();
  let longest = 0;
  let removed = 0;
  const expiring = (async () => {
    for (;;) {
      const gone = await journal.expire({ maxAgeMs: 0, maxCount: 0, nowMs: 1e12 });
      if (gone.length === 0) return;
      removed += gone.length;
    }
  })();
  let over = false;
  void expiring.then(() => {
    over = true;
  });
  for (let i = 0; !over; i++) {
    const at = performance.now();
    await journal.accept(aRun(`meanwhile-${i}`));
    longest = Math.max(longest, performance.now() - at);
  }
  await expiring;
  const seconds = (performance.now() - begin) / 1000;
  console.log(
    `expire: ${Math.round(removed / seconds)} runs/s; an accept meanwhile waited ${longest.toFixed(1)} ms at most`,
  );
}

try {
  theDisk();
  inTheMainThread();
  for (const count of [1, 32, 200]) await lanes('accept', count, acceptOnly);
  for (const count of [1, 32, 200]) await lanes('whole run', count, wholeRun);
  console.log(table.toString());
  await reads();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
