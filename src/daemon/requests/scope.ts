import { RocksyError, type RunKey } from '../../wire/index.ts';
import type { Run } from '../runs/index.ts';
import type { Daemon } from './context.ts';

/** Which of this host's runs and pools whoever asks may see and use, by who he is: the origin of the runs he starts. */
export type Scope = typeof LOCAL | CloudScope;

/** Clients of the listeners: all, as their role allows. */
export const LOCAL = { origin: 'local' } as const;

/** The cloud, over the host's link: its own runs, and the pools that this host lends it. */
export interface CloudScope {
  readonly origin: 'cloud';
  readonly pools: ReadonlySet<string>;
  /** Resolves when it is on the disk. */
  readonly keepIncarnation: (incarnation: number) => Promise<void>;
}

const CLOUD_REQUESTS: ReadonlySet<string> = new Set([
  'host',
  'run',
  'status',
  'list',
  'wait',
  'cancel',
  'signal',
  'free',
  'logs',
  'search',
  'subscribe',
  'unsubscribe',
  'pools',
  'stats',
]);

/** Throws `forbidden` where this asker may not say such a thing, whatever its role. */
export function assertSpeaks(scope: Scope, request: string): void {
  if (scope.origin === 'local' || CLOUD_REQUESTS.has(request)) return;
  throw new RocksyError(
    'forbidden',
    `'${request}' is not for the cloud: only this host's own clients may say it`,
  );
}

/** A run that the asker sees. Throws `not_found`, also of one that is there and not the asker's. */
export function found(daemon: Daemon, scope: Scope, key: RunKey): Run {
  const run = daemon.runs.get(key);
  if (run !== undefined && sees(scope, run)) return run;
  throw new RocksyError('not_found', `There is no run ${key}`);
}

export function sees(scope: Scope, { identity }: Run): boolean {
  return scope.origin === 'local' || identity.origin === scope.origin;
}

/** Throws `forbidden`: to say that the run is not there would be to say that it may be started. */
export function assertOwn(scope: Scope, run: Run): void {
  if (sees(scope, run)) return;
  throw new RocksyError(
    'forbidden',
    `The key ${run.identity.key} is that of a run which this host's own clients started`,
    {
      hint: 'take another key',
    },
  );
}

export function lends(scope: Scope, pool: string): boolean {
  return scope.origin === 'local' || scope.pools.has(pool);
}

/** Throws `forbidden`. */
export function assertLends(scope: Scope, pool: string): void {
  if (lends(scope, pool)) return;
  throw new RocksyError('forbidden', `This host does not lend the pool ${pool} to the cloud`, {
    hint: 'add it to join.pools in its rocksyd.yaml, or name another pool',
  });
}
