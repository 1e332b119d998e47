// npm run soak -- php [--runs N]: N runs (30,000) through a warm PHP pool with parked children, and a third as many
// through one that forks on request. They end in every way that a run can end by itself. The exit code is 1 when one of
// them had another outcome than it should, a php died of a segmentation fault, the daemon has logged an error, or a
// zygote has been replaced or holds more descriptors than before. Memory is printed.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { privateBytes } from '../bench/support/usage.ts';
import type { Client } from '../src/client/index.ts';
import { children } from '../src/posix/index.ts';
import { TestDaemon, until } from '../test/support/daemon.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
const IN_FLIGHT = 32;
const MIB = 2 ** 20;
/** pino's numbers: error and fatal. */
const ERROR = /"level":[56]0\b/;
/** More than a handful says no more. */
const MOST_SHOWN = 5;

/** Classes of the contract suite's fixtures, with the exit code that each must have. */
const JOBS: readonly (readonly [job: string, params: object, code: number])[] = [
  ['Hello', {}, 0],
  ['Give', { what: 'array' }, 0],
  ['Give', { what: 'huge' }, 255],
  ['ExitWith', { code: 7 }, 7],
  ['Leaving', { code: 3 }, 3],
  ['Destructors', {}, 0],
  ['Random', {}, 0],
  ['Lazy', {}, 0],
  ['Progress', {}, 0],
  ['Fail', { how: 'exception' }, 255],
  ['Fail', { how: 'fatal' }, 255],
  ['Fail', { how: 'memory' }, 255],
  ['Fail', { how: 'destructor' }, 255],
  ['Fail', { how: 'buffer' }, 255],
  ['ForksAndReturns', {}, 0],
];

interface Pool {
  readonly name: string;
  readonly prefork: number;
  /** Of the number of runs asked for. */
  readonly share: number;
}

const POOLS: readonly Pool[] = [
  { name: 'prefork', prefork: 8, share: 1 },
  { name: 'on-request', prefork: 0, share: 1 / 3 },
];

const bootstrap = `<?php
require '${ROOT}/examples/symfony/bootstrap.php';
require '${ROOT}/src/zygote/php/fixtures/jobs.php';
`;

const problems: string[] = [];

async function soak(daemon: TestDaemon, client: Client, pool: Pool, runs: number): Promise<void> {
  const { name } = pool;
  await runMany(client, name, 0, IN_FLIGHT * 4); // what is loaded and cached once
  const pid = await daemon.zygotePid(name);
  const before = await look(pid, pool);
  const startedMs = performance.now();
  await runMany(client, name, IN_FLIGHT * 4, runs);
  const seconds = (performance.now() - startedMs) / 1000;
  const serving = await daemon.zygotePid(name);
  if (serving !== pid) {
    problems.push(`${name}: zygote ${pid} is gone, ${serving} serves`);
    return;
  }
  const after = await look(pid, pool);
  if (after.descriptors > before.descriptors) {
    problems.push(`${name}: the zygote had ${before.descriptors} descriptors and has ${after.descriptors}`);
  }
  console.log(
    `${name}: ${runs} runs in ${seconds.toFixed(0)} s; the zygote's descriptors ${before.descriptors} → ${after.descriptors}, ` +
      `private memory ${before.memory.toFixed(1)} → ${after.memory.toFixed(1)} MiB`,
  );
}

/** An idle zygote; parked children come back one after the other, each with a socket. */
async function look(pid: number, { name, prefork }: Pool): Promise<{ descriptors: number; memory: number }> {
  await until(`${name} has its parked children again`, () => children(pid).length === prefork);
  return { descriptors: readdirSync(`/proc/${pid}/fd`).length, memory: privateBytes(pid) / MIB };
}

/** Runs number `from` to `to`, so many at a time. */
async function runMany(client: Client, pool: string, from: number, to: number): Promise<void> {
  let next = from;
  const lane = async (): Promise<void> => {
    while (next < to) await runOne(client, pool, next++);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
}

async function runOne(client: Client, pool: string, number: number): Promise<void> {
  const [job, params, code] = JOBS[number % JOBS.length] as (typeof JOBS)[number];
  const key = `${pool}-${number}`;
  await client.run({ key, pool, class: job, params: params as never });
  const run = await client.wait(key);
  if (run.code !== code) problems.push(`${key}, ${job} ${JSON.stringify(params)}: ${JSON.stringify(run)}`);
}

/** Deaths of php by SIGSEGV that the kernel has noted; null where it lets us not read (dmesg(1), kernel.dmesg_restrict). */
function segfaults(): Set<string> | null {
  const { status, stdout } = spawnSync('dmesg', { encoding: 'utf8', maxBuffer: 2 ** 28 });
  return status === 0 ? new Set(stdout.match(/^.*\bphp\S*\[\d+\]: segfault.*$/gm)) : null;
}

async function main(runs: number): Promise<void> {
  const before = segfaults();
  if (before === null)
    console.log("The kernel's log can't be read: a segmentation fault shows as an outcome only.");
  await using daemon = await TestDaemon.start({
    pools: POOLS.map(
      ({ name, prefork }) =>
        `  ${name}: { runtime: php, {user}, bootstrap: ./bootstrap.php, env: { SHOP_CACHE: ./scratch }, prefork: ${prefork} }`,
    ).join('\n'),
    more: 'log: { level: warn }\ndefault_pool: prefork\n',
    files: { 'bootstrap.php': bootstrap },
  });
  const client = await daemon.connect();
  for (const pool of POOLS) await soak(daemon, client, pool, Math.ceil(runs * pool.share));
  await client.close();
  await daemon.stop();
  problems.push(...daemon.output.filter((line) => ERROR.test(line)));
  problems.push(...(segfaults() ?? new Set<string>()).difference(before ?? new Set()));
  for (const problem of problems.slice(0, MOST_SHOWN)) console.error(problem);
  if (problems.length > 0) console.error(`${problems.length} problems`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string', default: '30000' } },
});
if (positionals.length !== 1 || positionals[0] !== 'php' || !(Number(values.runs) > 0)) {
  console.error('npm run soak -- php [--runs N]');
  process.exitCode = 2;
} else {
  await main(Number(values.runs));
}
