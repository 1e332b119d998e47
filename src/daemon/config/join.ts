import { resolve } from 'node:path';
import { type Findings, isLoopbackHost, type KeyPath, suggest } from '../../document/index.ts';
import type { Join } from './config.ts';
import { whyUnreadable } from './files.ts';
import type { RawConfig } from './schema.ts';
import type { Surroundings } from './surroundings.ts';

type RawJoin = NonNullable<RawConfig['join']>;

/** What a cloud is looked at with. */
export interface JoinGround {
  readonly dir: string;
  readonly insecure: boolean;
  /** All that the file has, sound or not. */
  readonly poolNames: readonly string[];
  readonly surroundings: Surroundings;
  readonly findings: Findings;
}

const DEFAULT_RUNS_PER_PROCESSOR = 4;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** The cloud that this host dials, or null where the file names none. */
export function resolveJoin(raw: RawConfig['join'], ground: JoinGround): Join | null {
  if (raw === undefined) return null;
  const { dir, surroundings } = ground;
  return {
    urls: resolveUrls(raw, ground),
    tokenFile: resolve(dir, raw.token_file),
    name: resolveName(raw.name ?? surroundings.hostname, ground),
    labels: { ...raw.labels },
    capacity: raw.capacity ?? DEFAULT_RUNS_PER_PROCESSOR * surroundings.processors,
    pools: resolvePools(raw.pools, ground),
    caFile: raw.ca_file === undefined ? null : resolveCaFile(raw.ca_file, ground),
  };
}

function resolveUrls({ url, urls }: RawJoin, ground: JoinGround): string[] {
  if ((url === undefined) === (urls === undefined)) {
    ground.findings.problem(['join', 'url'], 'expected either url or urls', {
      hint: 'url: https://rocksy.example.org',
      at: ['join'],
    });
    return [];
  }
  if (url !== undefined) return resolveUrl(url, ['join', 'url'], ground);
  return (urls ?? []).flatMap((each, index) => resolveUrl(each, ['join', 'urls', index], ground));
}

function resolveUrl(text: string, path: KeyPath, { insecure, findings }: JoinGround): string[] {
  const url = URL.parse(text);
  const isPlain = url !== null && url.search + url.hash + url.username + url.password === '';
  if (!isPlain || !['http:', 'https:'].includes(url.protocol)) {
    // Not repeated: there may be a password in it.
    findings.problem(path, 'expected https://HOST[:PORT], and nothing but a path behind it', {
      hint: 'https://rocksy.example.org',
    });
    return [];
  }
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname) && !insecure) {
    findings.problem(
      path,
      `${url.origin} is on another machine, and there is no TLS: secrets travel in clear`,
      {
        hint: 'say https://, or `insecure: true` if the network is safe',
      },
    );
  }
  return [url.href.replace(/\/+$/, '')];
}

function resolveName(name: string, { findings }: JoinGround): string {
  if (!NAME.test(name)) {
    findings.problem(['join', 'name'], `${JSON.stringify(name)} is no name for a host`, {
      hint: 'name: web-1, of 1 to 64 letters, digits, . _ -',
      at: ['join'],
    });
  }
  return name;
}

function resolvePools(written: readonly string[] | undefined, { poolNames, findings }: JoinGround): string[] {
  for (const [index, name] of (written ?? []).entries()) {
    if (poolNames.includes(name)) continue;
    findings.problem(['join', 'pools', index], `there is no pool ${name}`, {
      hint: suggest(name, poolNames) ?? `there is ${poolNames.join(', ')}`,
    });
  }
  return [...new Set(written ?? poolNames)];
}

function resolveCaFile(written: string, { dir, findings }: JoinGround): string {
  const file = resolve(dir, written);
  const why = whyUnreadable(file);
  if (why !== null) findings.problem(['join', 'ca_file'], `${file} is ${why}`);
  return file;
}
