// What may befall the parts of a cloud and its host: each is stopped, killed, upgraded.
import assert from 'node:assert/strict';
import type { TestCloud } from './cloud.ts';
import { type TestDaemon, until } from './daemon.ts';
import type { Releases } from './releases.ts';

/** Resolves when the part is away or about to go, with what resolves when it, or another in its place, is there. */
export type Strike = () => Promise<() => Promise<unknown>>;

/** A cloud and its only host; both are started from the releases. */
export interface Site {
  readonly cloud: TestCloud;
  readonly host: TestDaemon;
  readonly releases: Releases;
  /** The pools of the host. */
  readonly pools: readonly string[];
}

/** By what befalls whom, as the end of a sentence. */
export function strikesOn(site: () => Site): Readonly<Record<string, Strike>> {
  return {
    'the server is stopped and its next release started': () => replaceCloud(site()),
    'the server is upgraded': () => upgradeCloud(site()),
    'the server’s keeper is killed': () => killCloudKeeper(site()),
    'the server’s worker is killed': () => killCloudWorker(site()),
    'the host is stopped and its next release started': () => replaceHost(site()),
    'the host is upgraded': () => upgradeHost(site()),
    'the host’s keeper is killed': () => killHostKeeper(site()),
    'the host’s worker is killed': () => killHostWorker(site()),
    'both workers get a SIGTERM, which is not for them': () => terminateWorkers(site()),
    'the zygotes are told to end': () => terminateZygotes(site()),
    'the zygotes are killed': () => killZygotes(site()),
    'the pools are reloaded': () => reloadPools(site()),
  };
}

async function replaceCloud({ cloud, releases }: Site): ReturnType<Strike> {
  const version = releases.next();
  cloud.kill('SIGTERM');
  await cloud.exited();
  return async () => {
    await cloud.start();
    await cloudHas(cloud, version);
  };
}

async function upgradeCloud({ cloud, releases }: Site): ReturnType<Strike> {
  const version = releases.next();
  const { length } = cloud.output;
  cloud.kill('SIGUSR2');
  // Nobody serves now: the one has put down its work, the other has not taken it up.
  await until('the old worker has let its host go', () =>
    cloud.output.slice(length).some((line) => line.includes('a host has gone')),
  );
  return () => cloudHas(cloud, version);
}

async function killCloudKeeper({ cloud }: Site): ReturnType<Strike> {
  cloud.kill('SIGKILL');
  await cloud.exited();
  return () => cloud.start();
}

async function killCloudWorker({ cloud }: Site): ReturnType<Strike> {
  const worker = cloud.workerPid;
  process.kill(worker, 'SIGKILL');
  return () => until('the server has another worker', () => cloud.workerPid !== worker);
}

async function replaceHost({ cloud, host, releases }: Site): ReturnType<Strike> {
  const version = releases.next();
  await host.stop();
  return async () => {
    await host.start();
    await hostHas(cloud, version);
  };
}

async function upgradeHost({ cloud, host, releases }: Site): ReturnType<Strike> {
  const version = releases.next();
  host.kill('SIGUSR2');
  return () => hostHas(cloud, version);
}

async function killHostKeeper({ host }: Site): ReturnType<Strike> {
  await host.killAll();
  return () => host.start();
}

async function killHostWorker({ host }: Site): ReturnType<Strike> {
  const worker = await host.workerPid();
  process.kill(worker, 'SIGKILL');
  return () => until('the host has another worker', async () => (await host.workerPid()) !== worker);
}

async function terminateWorkers({ cloud, host }: Site): ReturnType<Strike> {
  const workers = [cloud.workerPid, await host.workerPid()];
  for (const pid of workers) process.kill(pid, 'SIGTERM');
  return async () => assert.deepEqual([cloud.workerPid, await host.workerPid()], workers);
}

async function terminateZygotes(site: Site): ReturnType<Strike> {
  for (const pid of await zygotes(site)) process.kill(pid, 'SIGTERM');
  // Others take their places when the next run comes.
  return async () => undefined;
}

async function killZygotes(site: Site): ReturnType<Strike> {
  const former = await zygotes(site);
  for (const pid of former) process.kill(pid, 'SIGKILL');
  return () => otherZygotes(site, former);
}

async function reloadPools(site: Site): ReturnType<Strike> {
  const former = await zygotes(site);
  await (await site.host.connect()).reload();
  return () => otherZygotes(site, former);
}

async function zygotes({ host, pools }: Site): Promise<number[]> {
  return await Promise.all(pools.map((pool) => host.zygotePid(pool)));
}

async function otherZygotes(site: Site, former: readonly number[]): Promise<void> {
  await until('other zygotes serve', async () => (await zygotes(site)).every((pid) => !former.includes(pid)));
}

async function cloudHas({ client }: TestCloud, version: string): Promise<void> {
  await until(
    `the server has version ${version}`,
    async () => (await client.call('status', {})).version === version,
  );
}

async function hostHas({ client }: TestCloud, version: string): Promise<void> {
  await until(`the host has version ${version}`, async () => {
    const { items } = await client.call('listHosts', {});
    return items.every((host) => host.version === version && host.contact === 'connected');
  });
}
