import { resolve } from 'node:path';
import type { Findings, KeyPath } from '../../document/index.ts';
import { durationMs, longestTimerMs, sizeBytes } from '../../document/index.ts';
import type { PoolConfig } from './config.ts';
import { findProgram, whyNoFolder, whyNotExecutable, whyUnreadable } from './files.ts';
import { resolveIdentity } from './identity.ts';
import { resolveRlimits } from './rlimits.ts';
import type { RawPool } from './schema.ts';
import { resolveSecrets } from './secrets.ts';
import type { Surroundings } from './surroundings.ts';

/** What a pool is looked at with. */
export interface Ground {
  readonly dir: string;
  readonly surroundings: Surroundings;
  readonly findings: Findings;
}

/** What only a pool with a warm interpreter has. */
type Warm = Pick<PoolConfig, 'bootstrap' | 'jobs' | 'prefork' | 'interpreter' | 'fork' | 'args'>;

export function resolvePool(name: string, raw: RawPool, ground: Ground): PoolConfig {
  const { findings, surroundings } = ground;
  const path = ['pools', name];
  checkEnvironment(raw, path, findings);
  const { user, group } = resolveIdentity(raw, path, surroundings, findings);
  return Object.freeze({
    name,
    ...resolveRuntime(raw, path, ground),
    user,
    group,
    nice: resolveNice(raw, path, ground),
    rlimits: resolveRlimits(raw.rlimits, [...path, 'rlimits'], findings),
    env: new Map(Object.entries(raw.env ?? {})),
    ...resolveSecrets(raw, path, ground),
    allowEnv: Object.freeze([...(raw.allow_env ?? [])]),
    maxRunning: raw.max_running ?? 1_000,
    queue: raw.queue ?? 10_000,
    ...resolveTimes(raw, path, findings),
    maxMemoryBytes:
      raw.max_memory === undefined
        ? null
        : sizeBytes(raw.max_memory, [...path, 'max_memory'], findings, { min: 2 ** 20 }),
    leaveChildren: raw.leave_children ?? false,
    allow: Object.freeze([...(raw.allow ?? [])]),
  });
}

function resolveTimes(raw: RawPool, path: KeyPath, findings: Findings) {
  const timer = (
    key: 'boot_timeout' | 'claim_timeout' | 'timeout' | 'kill_after',
    text: string,
    min: number,
  ) => durationMs(text, [...path, key], findings, { min, max: longestTimerMs });
  return {
    maxAgeMs:
      raw.max_age === undefined
        ? null
        : durationMs(raw.max_age, [...path, 'max_age'], findings, { min: 1_000, max: longestTimerMs }),
    bootTimeoutMs: timer('boot_timeout', raw.boot_timeout ?? '30s', 1),
    claimTimeoutMs: timer('claim_timeout', raw.claim_timeout ?? '5s', 1),
    timeoutMs: raw.timeout === undefined ? null : timer('timeout', raw.timeout, 1),
    killAfterMs: timer('kill_after', raw.kill_after ?? '5s', 0),
  };
}

function resolveRuntime(raw: RawPool, path: KeyPath, ground: Ground): Warm & Pick<PoolConfig, 'runtime'> {
  assertForks(raw, path, ground);
  switch (raw.runtime) {
    case 'php':
      return { runtime: 'php', ...resolvePhp(raw, path, ground) };
    case 'python':
      return { runtime: 'python', ...resolvePython(raw, path, ground) };
    case 'command':
      return { runtime: 'command', ...resolveCommand(raw, path, ground) };
    case 'node':
      return { runtime: 'node', ...resolveNode(raw, path, ground) };
  }
}

/** What a pool that loads nothing has. */
const COLD: Warm = { bootstrap: null, jobs: null, prefork: 0, interpreter: null, fork: false, args: [] };

function resolvePhp(raw: RawPool, path: KeyPath, ground: Ground): Warm {
  if (raw.jobs !== undefined) {
    ground.findings.problem(
      [...path, 'jobs'],
      'a php pool finds its classes by the autoloader of its bootstrap',
      {
        hint: 'take it out',
      },
    );
  }
  if (raw.bootstrap === undefined) {
    ground.findings.problem(
      [...path, 'bootstrap'],
      'missing: expected the PHP file that loads the application',
      {
        hint: 'bootstrap: ./bootstrap.php',
      },
    );
  }
  return { ...resolveWarm(raw, path, ground, PHP), jobs: null };
}

/** The bootstrap, the folder of jobs, or both. */
function assertHasCode(raw: RawPool, path: KeyPath, { findings }: Ground, hint: string): void {
  if (raw.bootstrap !== undefined || raw.jobs !== undefined) return;
  const message =
    'missing: expected the file that loads the application, or `jobs`, the folder of its job classes';
  findings.problem([...path, 'bootstrap'], message, { hint });
}

function resolvePython(raw: RawPool, path: KeyPath, ground: Ground): Warm {
  assertHasCode(raw, path, ground, 'bootstrap: ./bootstrap.py');
  return {
    ...resolveWarm(raw, path, ground, PYTHON),
    jobs: resolveFile(raw.jobs, [...path, 'jobs'], ground, whyNoFolder),
  };
}

/** An interpreter, and how one gets it. */
interface Interpreter {
  /** Null: where none is named it is Rocksy's own. */
  readonly name: string | null;
  readonly hint: string;
}

const PHP: Interpreter = { name: 'php', hint: 'on Debian: apt-get install php-cli' };
const PYTHON: Interpreter = { name: 'python3', hint: 'on Debian: apt-get install python3' };
const NODE: Interpreter = { name: null, hint: 'take it out, for the Node that Rocksy brings' };

function resolveWarm(raw: RawPool, path: KeyPath, ground: Ground, own: Interpreter): Omit<Warm, 'jobs'> {
  const interpreter = raw.interpreter ?? own.name;
  return {
    bootstrap: resolveFile(raw.bootstrap, [...path, 'bootstrap'], ground, whyUnreadable),
    prefork: raw.prefork ?? 2,
    interpreter:
      interpreter === null
        ? null
        : resolveInterpreter(interpreter, [...path, 'interpreter'], ground, own.hint),
    fork: raw.fork ?? true,
    args: Object.freeze([...(raw.args ?? [])]),
  };
}

function resolveNode(raw: RawPool, path: KeyPath, ground: Ground): Warm {
  assertHasCode(raw, path, ground, 'bootstrap: ./bootstrap.ts');
  return {
    ...resolveWarm(raw, path, ground, NODE),
    jobs: resolveFile(raw.jobs, [...path, 'jobs'], ground, whyNoFolder),
  };
}

function assertForks(raw: RawPool, path: KeyPath, { findings }: Ground): void {
  if (raw.fork === undefined || raw.runtime === 'node') return;
  findings.problem([...path, 'fork'], 'only node pools have a choice', { hint: 'take it out' });
}

function resolveCommand(raw: RawPool, path: KeyPath, { findings }: Ground): Warm {
  for (const key of ['bootstrap', 'jobs', 'prefork', 'interpreter', 'args'] as const) {
    if (raw[key] === undefined) continue;
    findings.problem([...path, key], 'a command pool has none: each of its runs is a program of its own', {
      hint: 'take it out, or say `runtime: php`',
    });
  }
  return COLD;
}

/** Null where nothing is written. */
function resolveFile(
  written: string | undefined,
  path: KeyPath,
  { dir, findings }: Ground,
  whyNot: (file: string) => string | null,
): string | null {
  if (written === undefined) return null;
  const file = resolve(dir, written);
  const why = whyNot(file);
  if (why !== null) findings.problem(path, `${file} is ${why}`);
  return file;
}

function resolveInterpreter(
  written: string,
  path: KeyPath,
  { dir, surroundings, findings }: Ground,
  hint: string,
): string {
  if (!written.includes('/')) {
    const found = findProgram(written, surroundings.path);
    if (found !== null) return found;
    findings.problem(path, `no program ${written} in PATH, which is ${surroundings.path}`, {
      hint: `${hint}, or name the program by its path`,
    });
    return written;
  }
  const file = resolve(dir, written);
  const why = whyNotExecutable(file);
  if (why !== null) findings.problem(path, `${file} is ${why}`);
  return file;
}

function resolveNice({ nice = 0 }: RawPool, path: KeyPath, { surroundings, findings }: Ground): number {
  if (nice < 0 && surroundings.uid !== 0) {
    findings.problem([...path, 'nice'], `only root can give a nice value below 0, got ${nice}`);
  }
  return nice;
}

function checkEnvironment({ env = {} }: RawPool, path: KeyPath, findings: Findings): void {
  for (const name of Object.keys(env).filter((each) => each.startsWith('ROCKSY_'))) {
    findings.problem([...path, 'env', name], 'names that begin with ROCKSY_ are set by Rocksy itself');
  }
}
