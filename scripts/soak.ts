// npm run soak -- php|node [--runs N] [--node PATH]: N runs (30,000 of PHP; 75,000 of Node, by its own or the one named)
// through a warm pool with parked children, and a third as many through one that forks on request. They end in every way
// that a run can end by itself. The exit code is 1 when one of them had another outcome than it should, the kernel has
// noted a segmentation fault, the daemon has logged an error, or a zygote has been replaced, holds more descriptors than
// before or has grown. Memory and latency are printed for every tenth of the runs.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { quantile } from '../bench/support/statistics.ts';
import type { Client } from '../src/client/index.ts';
import { children, processStat } from '../src/posix/index.ts';
import { TestDaemon, until } from '../test/support/daemon.ts';
import { node } from './soak/node.ts';
import { php } from './soak/php.ts';
import type { Subject } from './soak/subject.ts';

const IN_FLIGHT = 32;
const PARTS = 10;
/** A zygote may settle down in the first half, or have its garbage; in the second half it may grow by so much. */
const MOST_GROWTH = 0.1;
/** pino's numbers: error and fatal. */
const ERROR = /"level":[56]0\b/;
/** More than a handful says no more. */
const MOST_SHOWN = 5;

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

interface Look {
  readonly descriptors: number;
  readonly memory: number;
}

const problems: string[] = [];

async function soak(daemon: TestDaemon, client: Client, subject: Subject, pool: Pool, runs: number) {
  const { jobs, garbageMib } = subject;
  const { name } = pool;
  await runMany(client, name, jobs, 0, IN_FLIGHT * 4); // what is loaded and cached once
  const pid = await daemon.zygotePid(name);
  const looks: Look[] = [await look(pid, pool)];
  const startedMs = performance.now();
  for (let part = 0; part < PARTS; part++) {
    const at = (share: number): number => IN_FLIGHT * 4 + Math.round((runs * share) / PARTS);
    const latencies = await runMany(client, name, jobs, at(part), at(part + 1));
    const serving = await daemon.zygotePid(name);
    if (serving !== pid) {
      problems.push(`${name}: zygote ${pid} is gone, ${serving} serves`);
      return;
    }
    const now = await look(pid, pool);
    looks.push(now);
    const [p50, p99] = [0.5, 0.99].map((share) => quantile(latencies, share).toFixed(1));
    console.log(
      `${name}: ${at(part + 1)} runs, ${((performance.now() - startedMs) / 1000).toFixed(0)} s; the zygote has ` +
        `${now.descriptors} descriptors, ${now.memory.toFixed(1)} MiB of memory; p50 ${p50} ms, p99 ${p99} ms`,
    );
  }
  judge(name, looks, garbageMib);
}

function judge(name: string, looks: readonly Look[], garbageMib: number): void {
  const [first, last] = [looks[0], looks.at(-1)];
  if (first === undefined || last === undefined) return;
  if (last.descriptors > first.descriptors) {
    problems.push(`${name}: the zygote had ${first.descriptors} descriptors and has ${last.descriptors}`);
  }
  const most = (some: readonly Look[]): number => Math.max(...some.map(({ memory }) => memory));
  const [before, after] = [most(looks.slice(0, PARTS / 2 + 1)), most(looks.slice(PARTS / 2 + 1))];
  if (after > Math.max(before, first.memory + garbageMib) * (1 + MOST_GROWTH)) {
    problems.push(
      `${name}: the zygote had ${before.toFixed(1)} MiB at most in the first half, ${after.toFixed(1)} in the second`,
    );
  }
}

/** A zygote that sleeps: parked children come back one after the other, each with a pair of sockets at first. */
async function look(pid: number, { name, prefork }: Pool): Promise<Look> {
  const isIdle = () => children(pid).length === prefork && processStat(pid)?.state === 'S';
  await until(`${name} sleeps and has its parked children again`, isIdle);
  return { descriptors: readdirSync(`/proc/${pid}/fd`).length, memory: anonymousMib(pid) };
}

/** Memory that is no file's, whether or not parked children still share it: proc_pid_status(5). */
function anonymousMib(pid: number): number {
  const [, kib] = /^RssAnon:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

/** Runs number `from` to `to`, so many at a time; milliseconds from request to outcome. */
async function runMany(
  client: Client,
  pool: string,
  jobs: Subject['jobs'],
  from: number,
  to: number,
): Promise<number[]> {
  const latencies: number[] = [];
  let next = from;
  const lane = async (): Promise<void> => {
    while (next < to) {
      const begun = performance.now();
      await runOne(client, pool, jobs, next++);
      latencies.push(performance.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return latencies;
}

async function runOne(client: Client, pool: string, jobs: Subject['jobs'], number: number): Promise<void> {
  const [job, params, code] = jobs[number % jobs.length] as Subject['jobs'][number];
  const key = `${pool}-${number}`;
  await client.run({ key, pool, class: job, params });
  const run = await client.wait(key);
  if (run.code !== code) problems.push(`${key}, ${job} ${JSON.stringify(params)}: ${JSON.stringify(run)}`);
}

/** Deaths by SIGSEGV that the kernel has noted; null where it lets us not read (dmesg(1), kernel.dmesg_restrict). */
function segfaults(program: string): Set<string> | null {
  const { status, stdout } = spawnSync('dmesg', { encoding: 'utf8', maxBuffer: 2 ** 28 });
  const line = new RegExp(`^.*\\b${program}\\S*\\[\\d+\\]: segfault.*$`, 'gm');
  return status === 0 ? new Set(stdout.match(line)) : null;
}

async function main(subject: Subject, runs: number): Promise<void> {
  const { pool, files, program } = subject;
  const before = segfaults(program);
  if (before === null)
    console.log("The kernel's log can't be read: a segmentation fault shows as an outcome only.");
  await using daemon = await TestDaemon.start({
    pools: POOLS.map(({ name, prefork }) => `  ${name}: { ${pool}, {user}, prefork: ${prefork} }`).join('\n'),
    more: 'log: { level: warn }\ndefault_pool: prefork\n',
    files,
  });
  const client = await daemon.connect();
  for (const each of POOLS) await soak(daemon, client, subject, each, Math.ceil(runs * each.share));
  await client.close();
  await daemon.stop();
  problems.push(...daemon.output.filter((line) => ERROR.test(line)));
  problems.push(...(segfaults(program) ?? new Set<string>()).difference(before ?? new Set()));
  for (const problem of problems.slice(0, MOST_SHOWN)) console.error(problem);
  console.log(problems.length === 0 ? 'No problem.' : `${problems.length} problems`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string' }, node: { type: 'string' } },
});
const [runtime] = positionals;
const runs = Number(values.runs ?? (runtime === 'node' ? 75_000 : 30_000));
if (positionals.length !== 1 || (runtime !== 'php' && runtime !== 'node') || !(runs > 0)) {
  console.error('npm run soak -- php|node [--runs N] [--node PATH]');
  process.exitCode = 2;
} else {
  const interpreter = values.node === undefined ? null : path.resolve(values.node);
  await main(runtime === 'php' ? php : node(interpreter), runs);
}
