import { bootId } from '../../posix/index.ts';
import { type HostView, type RequestNamed, RocksyError } from '../../wire/index.ts';
import type { Asker, Daemon } from './context.ts';
import { lends } from './scope.ts';

/** What the cloud says first on a link: the number that it knows this connection by. The answer says what the host is. */
export async function host(request: RequestNamed<'host'>, daemon: Daemon, { scope }: Asker): Promise<object> {
  const { join } = daemon.config;
  if (scope.origin !== 'cloud' || join === null) {
    throw new RocksyError('forbidden', "'host' is for the cloud, over the link that this host opens");
  }
  // Before the answer: a host that forgot it would tell the cloud an older one, and be taken for somebody else.
  await scope.keepIncarnation(request.incarnation);
  const view: HostView = {
    name: join.name,
    version: daemon.version,
    boot_id: bootId(),
    labels: join.labels,
    capacity: join.capacity,
    started_ms: daemon.startedMs,
    pools: daemon.pools.configured
      .filter(({ name }) => lends(scope, name))
      .map(({ name, config }) => ({ name, runtime: config.runtime, max_running: config.maxRunning })),
  };
  return { ok: true, ...view };
}
