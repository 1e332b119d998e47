import { dirname, resolve } from 'node:path';
import { durationMs, type Findings, longestTimerMs, sizeBytes, suggest } from '../../document/index.ts';
import { type Access, resolveAccess } from './access.ts';
import type { Config, Limits, PoolConfig, Retention } from './config.ts';
import { runsAsRoot } from './identity.ts';
import { resolveJoin } from './join.ts';
import { resolvePool } from './pool.ts';
import type { RawConfig } from './schema.ts';
import type { Surroundings } from './surroundings.ts';

/**
 * The configuration that a file which fits the schema stands for. It is to be used only if `findings` has no
 * problem afterwards; `poolNames` are all that the file has, sound or not.
 */
export function resolveConfig(
  raw: RawConfig,
  file: string,
  poolNames: readonly string[],
  surroundings: Surroundings,
  findings: Findings,
): Config {
  const path = resolve(file);
  const dir = dirname(path);
  const state = resolve(dir, raw.state ?? './var');
  const access = resolveAccess(raw, dir, state, findings);
  const pools = new Map(
    Object.entries(raw.pools).map(([name, pool]) => [
      name,
      resolvePool(name, pool, { dir, surroundings, findings }),
    ]),
  );
  warnOfOpenRoot(access, pools, surroundings, findings);
  return {
    path,
    dir,
    ...access,
    state,
    defaultPool: resolveDefaultPool(raw.default_pool, poolNames, findings),
    pools,
    join: resolveJoin(raw.join, { dir, insecure: access.insecure, poolNames, surroundings, findings }),
    stopRuns: raw.stop_runs ?? 'stop',
    stopGraceMs: durationMs(raw.stop_grace ?? '10s', ['stop_grace'], findings, { max: longestTimerMs }),
    takeoverTimeoutMs: durationMs(raw.takeover_timeout ?? '60s', ['takeover_timeout'], findings, {
      max: longestTimerMs,
    }),
    retention: resolveRetention(raw.retention ?? {}, findings),
    logMaxBytes: resolveLogMax(raw.log_max ?? '256MiB', findings),
    minFreeBytes: sizeBytes(raw.min_free ?? '256MiB', ['min_free'], findings),
    mask: resolveMask(raw.mask ?? [], findings),
    limits: resolveLimits(raw.limits ?? {}, findings),
    log: { level: raw.log?.level ?? 'info' },
    warnings: findings.warnings,
  };
}

/** `auth: none` makes everybody on this machine admin, and so, by a pool that is root, root. */
function warnOfOpenRoot(
  { listen, auth }: Access,
  pools: ReadonlyMap<string, PoolConfig>,
  surroundings: Surroundings,
  findings: Findings,
): void {
  const asRoot = [...pools.values()].filter((pool) => runsAsRoot(pool, surroundings)).map(({ name }) => name);
  const open = listen.filter(({ kind }) => kind === 'tcp').map(({ name }) => name);
  if (auth.kind === 'none' && open.length > 0 && asRoot.length > 0) {
    findings.warning(
      ['auth'],
      `with none, everybody on this machine can run scripts as root through ${open.join(', ')} (pools: ${asRoot.join(', ')})`,
    );
  }
}

function resolveDefaultPool(
  written: string | undefined,
  poolNames: readonly string[],
  findings: Findings,
): string {
  const [first = '', ...others] = poolNames;
  if (written === undefined) {
    if (others.length > 0) {
      findings.problem(['default_pool'], `missing: which of ${poolNames.join(', ')}?`, {
        hint: `default_pool: ${first}`,
        at: ['pools'],
      });
    }
    return first;
  }
  if (!poolNames.includes(written)) {
    findings.problem(['default_pool'], `there is no pool ${written}`, {
      hint: suggest(written, poolNames) ?? `there is ${poolNames.join(', ')}`,
    });
  }
  return written;
}

function resolveRetention(raw: NonNullable<RawConfig['retention']>, findings: Findings): Retention {
  return {
    runsMaxAgeMs: durationMs(raw.runs ?? '30d', ['retention', 'runs'], findings),
    runsMaxCount: raw.max_runs ?? 1_000_000,
    logsMaxAgeMs: durationMs(raw.logs ?? '14d', ['retention', 'logs'], findings),
    logsMaxBytes: sizeBytes(raw.log_bytes ?? '20GiB', ['retention', 'log_bytes'], findings),
  };
}

/** Head and tail of a log stay whole: below 64 KiB there would be nothing between them to free. */
function resolveLogMax(written: string, findings: Findings): number {
  return written === 'unlimited' ? 0 : sizeBytes(written, ['log_max'], findings, { min: 2 ** 16 });
}

function resolveLimits(raw: NonNullable<RawConfig['limits']>, findings: Findings): Limits {
  const bytes = (key: 'line' | 'unread' | 'push', text: string) =>
    sizeBytes(text, ['limits', key], findings, { min: 1_024, max: 2 ** 30 });
  return {
    lineBytes: bytes('line', raw.line ?? '1MiB'),
    connections: raw.connections ?? 20_000,
    pipelined: raw.pipelined ?? 1_000,
    unreadBytes: bytes('unread', raw.unread ?? '1MiB'),
    pushBytes: bytes('push', raw.push ?? '8MiB'),
  };
}

function resolveMask(sources: readonly string[], findings: Findings): RegExp[] {
  return sources.flatMap((source, index) => {
    const path = ['mask', index];
    try {
      const pattern = new RegExp(source, 'gu');
      if (''.replaceAll(pattern, '*') === '') return [pattern];
      findings.problem(path, 'matches the empty text, so it would mask between any two characters');
    } catch (error) {
      // "Invalid regular expression: /…/gu: Unterminated group"; the pattern itself may be the secret.
      const reason = error instanceof Error ? error.message.replace(/^.*: /s, '') : 'no regular expression';
      findings.problem(path, `not a regular expression of JavaScript: ${reason}`);
    }
    return [];
  });
}
