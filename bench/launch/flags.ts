import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { FORK_ENVIRONMENT, FORK_FLAGS } from '../../src/zygote/node/index.ts';
import { median, round } from '../support/statistics.ts';
import { printTable } from '../support/table.ts';

const PROGRAM = path.resolve(import.meta.dirname, '../app/work/main.mjs');

const JOBS = [
  ['computes', 'compute'],
  ['makes garbage', 'garbage'],
] as const;

const NODES: readonly (readonly [
  name: string,
  flags: readonly string[],
  env: Readonly<NodeJS.ProcessEnv>,
])[] = [
  ['plain node', [], {}],
  ['--single-threaded alone', ['--single-threaded'], {}],
  ["all of a zygote's flags", FORK_FLAGS, FORK_ENVIRONMENT],
];

interface Taken {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** The same long work, started by a plain Node and with a zygote's flags, in turns. */
export function printCostOfFlags(rounds: number): void {
  process.stderr.write("a zygote's flags …\n");
  const taken = JOBS.map(([, job]) => {
    const times: Taken[][] = NODES.map(() => []);
    for (let turn = 0; turn < rounds; turn++) {
      for (const [index, [, flags, env]] of NODES.entries()) times[index]?.push(run(job, flags, env));
    }
    return times;
  });
  printTable(
    `What the flags that let Node fork cost a long job; medians of ${rounds} turns, ms, in brackets against plain node`,
    ['', ...JOBS.flatMap(([name]) => [name, 'its CPU'])],
    NODES.map(([name], index) => [
      name,
      ...taken.flatMap((times) =>
        (['wallMs', 'cpuMs'] as const).map((of) => {
          const [plain = Number.NaN, ours = Number.NaN] = [times[0], times[index]].map((each = []) =>
            median(each.map((time) => time[of])),
          );
          return `${round(ours)} (${round((100 * ours) / plain)}%)`;
        }),
      ),
    ]),
  );
}

function run(job: string, flags: readonly string[], env: Readonly<NodeJS.ProcessEnv>): Taken {
  const text = execFileSync(process.execPath, [...flags, PROGRAM, job], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return JSON.parse(text) as Taken;
}
