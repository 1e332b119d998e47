// npm run fork-safety [-- --node 24|26|PATH] [--times N] [--load] [--only NAME] [--own|--packages]: what jobs do, each N times
// (100) in children that a real zygote forks, half on request, half parked; Node's own (src/zygote/node/fork-safety) and
// packages with native code or threads (test/fork-safety), which are installed once. With --load beside as many busy
// processes as there are cores. The exit code is 1 when a run hung, crashed, was wrong, or a bootstrap failed. What the
// inspection refuses never gets as far as a run, so it is told and is no failure.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { median } from '../bench/support/statistics.ts';
import { printTable } from '../bench/support/table.ts';
import { ALLOW, BOOTSTRAPS } from '../src/zygote/node/fork-safety/index.ts';
import { type Report, tryWorkloads } from '../src/zygote/node/trials/index.ts';

const ROOT = join(import.meta.dirname, '..');
/** What takes a second of an idle machine takes far less than this of a busy one. */
const LIMIT_MS = 60_000;
const NODES: Readonly<Record<string, string>> = {
  24: join(ROOT, 'node_modules/.bin/node'),
  26: join(ROOT, 'test/node-26/node_modules/.bin/node'),
};

interface Group {
  readonly title: string;
  readonly bootstrap: string;
  readonly env: ReadonlyMap<string, string>;
  readonly allow: readonly string[];
  /** The workloads of it that have this in their name. */
  readonly only: string;
}

function own(only: string): Group[] {
  return BOOTSTRAPS.map((bootstrap) => ({
    title: `Node's own, ${basename(bootstrap, '.ts')} zygote`,
    bootstrap,
    env: new Map(),
    allow: ALLOW,
    only,
  }));
}

/** Those with this in their name, each in a zygote that has loaded it, and in one that has used it as well. */
function packages(only: string): Group[] {
  return globSync(join(ROOT, 'test/fork-safety/packages/*.ts'))
    .filter((path) => basename(path).includes(only))
    .sort()
    .flatMap((bootstrap) => {
      const name = basename(bootstrap, '.ts');
      const used = new Map([['ROCKSY_FORK_SAFETY_USED', '1']]);
      return [
        { title: name, bootstrap, env: new Map(), allow: [], only: '' },
        { title: `${name}, used in the bootstrap`, bootstrap, env: used, allow: [], only: '' },
      ];
    });
}

interface Options {
  readonly interpreter: string;
  readonly times: number;
}

/** Prints what came of a group. Returns whether all went well. */
async function tryGroup({ title, bootstrap, env, allow, only }: Group, options: Options): Promise<boolean> {
  const { interpreter, times } = options;
  try {
    const trial = await tryWorkloads({
      subject: { bootstrap, interpreter, env, allow },
      times,
      limitMs: LIMIT_MS,
      only,
    });
    if (trial.kind === 'refused') {
      console.log(`\n${title}\nrefused: ${trial.findings.map(({ message }) => message).join('; ')}`);
      return true;
    }
    if (trial.reports.length === 0) return true;
    printTable(
      title,
      ['workload', `ok of ${times}`, 'p50 ms on request', 'p50 ms parked', 'failures'],
      trial.reports.map(row),
    );
    for (const { name, failures } of trial.reports) {
      for (const { how, why, log } of failures) console.log(`\n${name}: ${how}: ${why}\n${indented(log)}`);
    }
    return trial.reports.every(({ failures }) => failures.length === 0);
  } catch (error) {
    console.log(`\n${title}\n${(error as Error).message}`);
    return false;
  }
}

function row({ name, failures, tookMs: { request, parked } }: Report): (string | number | null)[] {
  const kinds = Object.entries(Object.groupBy(failures, ({ how }) => how));
  const told = kinds.map(([how, those]) => `${those?.length} × ${how}`).join(', ');
  return [name, String(request.length + parked.length), median(request), median(parked), told];
}

const indented = (text: string): string => text.replaceAll(/^/gm, '    ');

/** Processes that do nothing but compute, until they are killed. */
function load(): ChildProcess[] {
  const busy = (): ChildProcess => spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
  return Array.from({ length: availableParallelism() }, busy);
}

/** The packages and Chromium, unless they are there. */
function install(): void {
  const { status } = spawnSync('bash', [join(ROOT, 'scripts/setup.sh'), '--for-fork-safety'], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(1);
}

function usage(problem: string): never {
  console.error(problem);
  console.error(
    'npm run fork-safety -- [--node 24|26|PATH] [--times N] [--load] [--only NAME] [--own|--packages]',
  );
  process.exit(2);
}

/** Of the command line. */
function given() {
  try {
    return parseArgs({
      options: {
        node: { type: 'string', default: '24' },
        times: { type: 'string', default: '100' },
        load: { type: 'boolean', default: false },
        only: { type: 'string', default: '' },
        own: { type: 'boolean', default: false },
        packages: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return usage((error as Error).message);
  }
}

async function main(): Promise<void> {
  const values = given();
  const interpreter = NODES[values.node] ?? resolve(values.node);
  if (!existsSync(interpreter)) usage(`--node: there is no ${interpreter}`);
  const times = Number(values.times);
  if (!Number.isInteger(times) || times < 1) usage(`--times: expected a whole number, not ${values.times}`);
  if (values.own && values.packages) usage('--own and --packages: one of them, or none for both');
  const groups = [...(values.packages ? [] : own(values.only)), ...(values.own ? [] : packages(values.only))];
  if (groups.some(({ bootstrap }) => !BOOTSTRAPS.includes(bootstrap))) install();
  const { stdout } = spawnSync(interpreter, ['--version'], { encoding: 'utf8' });
  console.log(`Node ${stdout.trim()}, ${times} times each${values.load ? ', under load' : ''}`);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1)); // what was started is killed
  const beside = values.load ? load() : [];
  process.once('exit', () => {
    for (const busy of beside) busy.kill('SIGKILL');
  });
  for (const group of groups) {
    if (!(await tryGroup(group, { interpreter, times }))) process.exitCode = 1;
  }
  process.exit(); // the busy ones would be waited for
}

await main();
