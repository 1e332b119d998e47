import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Site } from '../support/site.ts';
import { Cold } from '../ways/cold.ts';
import { type Pool, Rocksy } from '../ways/rocksy.ts';
import { type Application, measurable } from './application.ts';
import { limitInC } from './limit.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const BOOTSTRAP = path.join(ROOT, 'examples/nest/dist/bootstrap.js');
const JOBS = path.join(ROOT, 'bench/app/node');
const COLD = path.join(ROOT, 'bench/app/cold.mjs');

/** Between two requests to a pool that starts a process for each: long enough for the next to have loaded the application. */
const REFILL_MS = 1_000;

/** examples/nest, with the measured classes beside it. */
export function nest(site: Site): Application {
  execFileSync('bash', [path.join(ROOT, 'scripts/setup.sh'), '--with-nest'], { stdio: 'inherit' });
  const start = async (pool: Pool) => measurable(await Rocksy.start(site, pool));
  return {
    title: `NestJS ${versionOf('@nestjs/core')}, TypeORM ${versionOf('typeorm')}`,
    rows: [
      { kind: 'cold', start: async () => measurable(cold(site, 'cold', {})) },
      {
        kind: 'cold',
        start: async () =>
          measurable(cold(site, "cold, Node's compile cache", { NODE_COMPILE_CACHE: site.forUs() })),
      },
      { kind: 'started', start: () => start(command(site)) },
      {
        kind: 'started',
        start: async () => measurable(await Rocksy.start(site, stocked(site)), REFILL_MS),
      },
      { kind: 'fork', start: () => start(warm(site, 'Rocksy, fork on request', 'prefork: 0')) },
      { kind: 'prefork', start: () => start(warm(site, 'Rocksy, prefork: 8', 'prefork: 8')) },
    ],
    aims: { ofLimit: 1.3, timesCold: { fork: 50, prefork: 300 } },
    limit: limitInC(site),
    takeTurns: null,
  };
}

function versionOf(dependency: string): string {
  const file = path.join(ROOT, 'examples/nest/node_modules', dependency, 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function cold(site: Site, name: string, env: Readonly<Record<string, string>>): Cold {
  return new Cold(name, site.forUs(), {
    argv: (job, param) => [process.execPath, COLD, BOOTSTRAP, job, JSON.stringify([param])],
    env: { ...env, BILLING_DATABASE: path.join(site.forUs(), 'billing.sqlite') },
  });
}

/** A command pool that runs the cold script, with Node's compile cache. */
function command(site: Site): Pool {
  const env = `{ NODE_COMPILE_CACHE: ${site.forPool()}, BILLING_DATABASE: ${site.forPool()}/billing.sqlite }`;
  return {
    name: 'Rocksy, command, compile cache',
    keys: `runtime: command, {user}, env: ${env}`,
    request: (job, param) => ({
      argv: [process.execPath, COLD, BOOTSTRAP, job, JSON.stringify([param])],
    }),
  };
}

/** Processes that are started ahead. With many in flight each waits for one that starts among as many others. */
function stocked(site: Site): Pool {
  return warm(site, 'Rocksy, fork: false (1 s apart)', 'fork: false, prefork: 2, boot_timeout: 5m');
}

function warm(site: Site, name: string, keys: string): Pool {
  const env = `{ BILLING_DATABASE: ${site.forPool()}/billing.sqlite }`;
  return {
    name,
    keys: `runtime: node, {user}, bootstrap: ${BOOTSTRAP}, jobs: ${JOBS}, ${keys}, env: ${env}`,
    request: (job, param) => ({ class: job, params: [param] }),
  };
}
