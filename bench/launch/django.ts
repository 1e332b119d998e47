import { execFileSync } from 'node:child_process';
import path from 'node:path';
import type { Site } from '../support/site.ts';
import { Cold } from '../ways/cold.ts';
import { type Pool, Rocksy } from '../ways/rocksy.ts';
import type { Job } from '../ways/way.ts';
import { type Application, measurable } from './application.ts';
import { limitInC } from './limit.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const PYTHON = '/usr/bin/python3'; // Debian's, which has Debian's Django
const EXAMPLE = path.join(ROOT, 'examples/django');
const JOBS = path.join(ROOT, 'bench/app/python');
const COLD = path.join(ROOT, 'bench/app/cold.py');

const VERSIONS =
  'import django, platform; print(f"Django {django.__version__}, Python {platform.python_version()}")';

/** The modules of bench/app/python. */
const MODULES: Readonly<Record<Job, string>> = {
  FirstLine: 'first_line',
  Nothing: 'nothing',
  Hold: 'hold',
};

/** examples/django, with the measured classes beside it. */
export function django(site: Site): Application {
  const start = async (pool: Pool) => measurable(await Rocksy.start(site, pool));
  return {
    title: execFileSync(PYTHON, ['-c', VERSIONS], { encoding: 'utf8' }).trim(),
    rows: [
      {
        kind: 'cold',
        start: async () => measurable(new Cold('cold', site.forUs(), { argv: coldArgv, env: {} })),
      },
      {
        kind: 'started',
        start: () =>
          start({
            name: 'Rocksy, command',
            keys: 'runtime: command, {user}',
            request: (job, param) => ({ argv: coldArgv(job, param) }),
          }),
      },
      { kind: 'fork', start: () => start(warm('Rocksy, fork on request', 'prefork: 0')) },
      { kind: 'prefork', start: () => start(warm('Rocksy, prefork: 8', 'prefork: 8')) },
    ],
    aims: { ofLimit: 1.3, timesCold: { fork: 50, prefork: 50 } },
    limit: limitInC(site),
    takeTurns: null,
  };
}

function coldArgv(job: Job, param: object): readonly [string, ...string[]] {
  return [PYTHON, COLD, EXAMPLE, `${MODULES[job]}.${job}`, JSON.stringify([param])];
}

function warm(name: string, keys: string): Pool {
  return {
    name,
    keys: `runtime: python, {user}, interpreter: ${PYTHON}, bootstrap: ${EXAMPLE}/bootstrap.py, jobs: ${JOBS}, ${keys}`,
    request: (job, param) => ({ class: job, params: [param] }),
  };
}
