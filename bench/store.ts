// How long every list and search of the store takes among millions of finished runs: the first time, and then.
// SQLite with 1,000,000 and a PostgreSQL of its own with 10,000,000, in the temporary folder (about 20 GB). The verdict
// is against 200 ms; exit code 1 where one takes longer.
//   npm run bench -- store [--runs N] [--only sqlite|postgres] [--cold] [--all]
// --runs N: in both. --cold (as root): the kernel's page cache is emptied before each first time. --all: every line, not
// only the slowest.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Postgres } from '../src/cloud/store/fixtures/postgres.ts';
import { openStore, type Store } from '../src/cloud/store/index.ts';
import { DAY_MS } from './store/contents.ts';
import { type Filled, fillPostgres, fillSqlite } from './store/fill.ts';
import { type Query, queriesOf } from './store/queries.ts';
import { describeMachine } from './support/machine.ts';
import { median } from './support/statistics.ts';
import { printTable } from './support/table.ts';

const LIMIT_MS = 200;
const ROUNDS = 20;
const SLOWEST = 25;

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string' },
    only: { type: 'string' },
    cold: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
  },
});

interface Measured {
  readonly name: string;
  readonly rows: number;
  readonly firstMs: number;
  readonly medianMs: number;
  readonly mostMs: number;
}

async function timed(work: () => Promise<number>): Promise<{ rows: number; tookMs: number }> {
  const begin = performance.now();
  const rows = await work();
  return { rows, tookMs: performance.now() - begin };
}

async function measure(store: Store, { name, ask }: Query): Promise<Measured> {
  if (options.cold) writeFileSync('/proc/sys/vm/drop_caches', '3');
  const { rows, tookMs: firstMs } = await timed(() => ask(store));
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) times.push((await timed(() => ask(store))).tookMs);
  return { name, rows, firstMs, medianMs: median(times), mostMs: Math.max(...times) };
}

/** What goes on beside the lists: it changes the store, so it comes last. */
async function retention(store: Store, { firstMs }: Filled): Promise<void> {
  const everything = 2_000_000_000;
  const byNumber = await timed(() => store.runs.expire({ beforeMs: 0, keep: everything, limit: 1000 }));
  const rested = await timed(() => store.runs.expire({ beforeMs: 0, keep: everything, limit: 1000 }));
  const byAge: number[] = [];
  for (let round = 0; round < 10; round++) {
    const { rows, tookMs } = await timed(() =>
      store.runs.expire({ beforeMs: firstMs + DAY_MS, keep: everything, limit: 1000 }),
    );
    if (rows === 1000) byAge.push(tookMs);
  }
  console.log(
    `retention: all ended runs counted in ${byNumber.tookMs.toFixed(0)} ms, once in ${Math.round(byNumber.tookMs / 60)} min ` +
      `(in between ${rested.tookMs.toFixed(1)} ms); 1000 runs removed by age in ${median(byAge).toFixed(0)} ms`,
  );
}

/** @returns whether every query kept to the limit */
async function report(what: string, filled: Filled, fillMs: number): Promise<boolean> {
  await using store = await openStore(filled.url, { schema: 'check', onIdleError: console.error });
  const all: Measured[] = [];
  for (const query of queriesOf(filled)) all.push(await measure(store, query));
  const slowest = all.toSorted((a, b) => Math.max(b.mostMs, b.firstMs) - Math.max(a.mostMs, a.firstMs));
  const late = all.filter(({ mostMs, firstMs }) => Math.max(mostMs, firstMs) > LIMIT_MS);
  const shown = options.all ? all : slowest.slice(0, SLOWEST);
  printTable(
    `${what}, filled in ${(fillMs / 1000).toFixed(0)} s; ms; ${options.all ? 'all' : `the ${SLOWEST} slowest of ${all.length}`}`,
    ['query', 'rows', options.cold ? 'first, cold' : 'first', 'p50', 'max', `≤ ${LIMIT_MS}`],
    shown.map((each) => [
      each.name,
      String(each.rows),
      each.firstMs,
      each.medianMs,
      each.mostMs,
      late.includes(each) ? 'NO' : 'yes',
    ]),
  );
  const most = Math.max(...all.map(({ mostMs }) => mostMs));
  console.log(
    `${all.length} queries: p50 of all ${median(all.map(({ medianMs }) => medianMs)).toFixed(2)} ms, ` +
      `slowest warm ${most.toFixed(1)} ms, slowest first ${Math.max(...all.map(({ firstMs }) => firstMs)).toFixed(1)} ms; ` +
      `${late.length} over ${LIMIT_MS} ms`,
  );
  await retention(store, filled);
  return late.length === 0;
}

const folder = mkdtempSync(join(tmpdir(), 'rocksy-bench-'));
const verdicts: boolean[] = [];
console.log(describeMachine(folder).join('\n'));
try {
  if (options.only !== 'postgres') {
    const runs = Number(options.runs ?? 1_000_000);
    const begin = performance.now();
    const filled = await fillSqlite(join(folder, 'store.db'), runs);
    verdicts.push(await report(`SQLite, ${runs} finished runs`, filled, performance.now() - begin));
  }
  if (options.only !== 'sqlite') {
    const runs = Number(options.runs ?? 10_000_000);
    await using postgres = await Postgres.start();
    const begin = performance.now();
    const filled = await fillPostgres(await postgres.newDatabase(), runs);
    verdicts.push(await report(`PostgreSQL, ${runs} finished runs`, filled, performance.now() - begin));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (verdicts.includes(false)) process.exitCode = 1;
