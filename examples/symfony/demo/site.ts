import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where the demo lives on this machine: everything it makes is below `var`. */
export interface Site {
  readonly config: string;
  readonly socket: string;
  /** What each start of the pool `web` has printed. */
  readonly bootLogs: string;
  /** A folder that the pool's user may write to. */
  readonly data: string;
  /** Cache of the cold runs, which run as whoever started the demo: nobody else may write there. */
  readonly coldCache: string;
  /** What the newcomer should know about the user that the pools run as. */
  readonly note: string;
}

const poolUser = 'www-data';

/** Makes `var` with the configuration in it, fit for root and for anybody else. */
export function prepareSite(example: string): Site {
  const home = join(example, 'var');
  const [data, cache, coldCache] = ['data', 'cache', 'cold'].map((name) => join(home, name)) as [
    string,
    string,
    string,
  ];
  for (const folder of [data, cache, coldCache]) mkdirSync(folder, { recursive: true, mode: 0o755 });

  const { user, note } = chooseUser(example);
  if (user === poolUser) {
    for (const folder of [data, cache]) chownSync(folder, ...idsOf(poolUser));
  }
  const config = join(home, 'rocksyd.yaml');
  writeFileSync(config, configText(cache, user));
  const bootLogs = join(home, 'state/pools/web');
  return { config, socket: join(home, 'rocksyd.sock'), bootLogs, data, coldCache, note };
}

function configText(cache: string, user: string | undefined): string {
  const userKey = user === undefined ? '' : `, user: ${user}`;
  return [
    '# Written by examples/symfony/demo.ts. Paths are relative to this file.',
    'listen: [unix:./rocksyd.sock]',
    'auth: none',
    'state: ./state',
    'default_pool: web',
    'pools:',
    `  web: { runtime: php, bootstrap: ../bootstrap.php, prefork: 2, env: { SHOP_CACHE: ${JSON.stringify(cache)} }${userKey} }`,
    `  os: { runtime: command${userKey} }`,
    '',
  ].join('\n');
}

/** As root the pools get a user of their own, if it can reach this checkout; a home under /root keeps it out. */
function chooseUser(example: string): { user: string | undefined; note: string } {
  if (process.getuid?.() !== 0) return { user: undefined, note: 'Not root: the pools run as you.' };
  const identity = [`--reuid=${poolUser}`, `--regid=${poolUser}`, '--init-groups'];
  const reachable =
    spawnSync('setpriv', [...identity, 'test', '-r', join(example, 'bootstrap.php')]).status === 0;
  return reachable
    ? { user: poolUser, note: `Root: the pools run as ${poolUser}.` }
    : {
        user: 'root',
        note: `Root, and ${poolUser} can't read this checkout: the pools run as root, for this demo only.`,
      };
}

function idsOf(name: string): [uid: number, gid: number] {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = (line ?? '').split(':');
  return [Number(uid), Number(gid)];
}
