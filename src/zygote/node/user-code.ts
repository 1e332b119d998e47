import { readdirSync } from 'node:fs';
import { join, parse } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ZygoteConfig } from '../contract.ts';

/** What the bootstrap and the folder of jobs have given. */
export interface UserCode {
  readonly jobs: ReadonlyMap<string, unknown>;
  /** Where a class was looked for, for the message when it is not there. */
  readonly places: string;
  /** Called once, in the zygote, when all is loaded. */
  readonly beforeFork: Hook;
  /** Called in each child, before its job. */
  readonly afterFork: Hook;
}

export type Hook = () => unknown;

interface Job {
  run(params: unknown, context: unknown): unknown;
}

/** A class a file, named after it. What has another dot in its name (types, tests) is none. */
const JOB_FILE = /^[\p{L}_$][\p{L}\p{N}_$-]*\.(ts|mts|js|mjs|cjs)$/u;

/** All of it, ready for runs. Says so where the bootstrap ends the process, or waits for something that never comes. */
export async function loadWholly(config: ZygoteConfig): Promise<UserCode> {
  const ended = (code: number): void => {
    if (code === 0) console.error('the bootstrap called exit, or awaits what never comes');
    process.exitCode = code || 1;
  };
  process.on('exit', ended);
  const userCode = await loadUserCode(config);
  await userCode.beforeFork();
  process.off('exit', ended);
  return userCode;
}

/**
 * Loads the bootstrap, then every job, so that a run finds its class loaded. They may await what they like at their top
 * level. Throws what they throw.
 */
async function loadUserCode({ bootstrap, jobs: folder }: ZygoteConfig): Promise<UserCode> {
  const main = bootstrap === undefined ? {} : await load(bootstrap);
  const jobs = new Map<string, unknown>();
  for (const file of folder === undefined ? [] : readdirSync(folder).sort()) {
    if (folder !== undefined && JOB_FILE.test(file)) {
      jobs.set(parse(file).name, (await load(join(folder, file))).default);
    }
  }
  for (const [name, job] of entriesOf(main.jobs)) jobs.set(name, job);
  return {
    jobs,
    places: [folder, bootstrap && `the \`jobs\` of ${bootstrap}`].filter(Boolean).join(' and '),
    beforeFork: hook(main.beforeFork, 'beforeFork'),
    afterFork: hook(main.afterFork, 'afterFork'),
  };
}

/** An instance of the class. Throws with a message for whoever asked for it. */
export function jobOf({ jobs, places }: UserCode, name: string): Job {
  if (!jobs.has(name)) throw new Error(`there is no class ${name} in ${places}`);
  const Class = jobs.get(name);
  if (typeof Class !== 'function') {
    throw new TypeError(`${name} is not a class: a job's file exports one by \`export default\``);
  }
  const job: Partial<Job> = Reflect.construct(Class, []);
  if (typeof job.run !== 'function') throw new TypeError(`class ${name} has no method run()`);
  return job as Job;
}

type Exports = { readonly [name: string]: unknown };

/** A CommonJS module's exports are the default; so is what a compiler makes of `export default` (__esModule). */
async function load(path: string): Promise<Exports> {
  const namespace: Exports = await import(pathToFileURL(path).href);
  const inner = namespace.default;
  if (typeof inner !== 'object' || inner === null) return namespace;
  return { ...namespace, ...inner };
}

function entriesOf(jobs: unknown): Iterable<[string, unknown]> {
  if (jobs === undefined) return [];
  if (typeof jobs === 'object' && jobs !== null) return jobs instanceof Map ? jobs : Object.entries(jobs);
  throw new TypeError('`jobs` of the bootstrap: expected an object or Map from names to classes');
}

function hook(value: unknown, name: string): Hook {
  if (value === undefined) return () => undefined;
  if (typeof value === 'function') return value as Hook;
  throw new TypeError(`\`${name}\` of the bootstrap: expected a function`);
}
