import { type Findings, type KeyPath, parseSize } from '../../document/index.ts';
import type { Rlimit } from './config.ts';
import type { RawLimit, RawPool, RawRlimit } from './schema.ts';

/** setrlimit(2): these count bytes, so a size means something. */
const inBytes = new Set(['as', 'core', 'data', 'fsize', 'memlock', 'msgqueue', 'rss', 'stack']);

export function resolveRlimits(
  raw: RawPool['rlimits'],
  path: KeyPath,
  findings: Findings,
): ReadonlyMap<string, Rlimit> {
  return new Map(
    Object.entries(raw ?? {}).map(([name, limit]) => [
      name,
      resolveRlimit(name, limit, [...path, name], findings),
    ]),
  );
}

function resolveRlimit(name: string, raw: RawRlimit, path: KeyPath, findings: Findings): Rlimit {
  const { soft, hard } = typeof raw === 'object' ? raw : { soft: raw, hard: raw };
  if (!inBytes.has(name) && (isSize(soft) || isSize(hard))) {
    findings.problem(path, 'does not count bytes: expected a number or unlimited');
  }
  if (numberOf(soft) > numberOf(hard)) {
    findings.problem(path, `soft is ${soft}, more than hard, which is ${hard}`);
  }
  return Object.freeze({ soft: limitText(soft), hard: limitText(hard) });
}

function isSize(limit: RawLimit): boolean {
  return typeof limit === 'string' && limit !== 'unlimited';
}

function numberOf(limit: RawLimit): number {
  if (typeof limit === 'number') return limit;
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : parseSize(limit);
}

function limitText(limit: RawLimit): string {
  return limit === 'unlimited' ? limit : String(numberOf(limit));
}
