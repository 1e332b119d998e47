import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { KeeperChannel } from '../../takeover/index.ts';
import { Api } from '../api/index.ts';
import { type Clock, systemClock } from '../clock.ts';
import { LEASE_MS, Leader } from '../leader/index.ts';
import { Alerting } from '../notify/index.ts';
import { type JobId, openStore, type Store } from '../store/index.ts';
import type { ServerConfig } from './config.ts';
import { Housekeeping } from './housekeeping.ts';
import type { Restart } from './restart.ts';

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  readonly version: string;
};

interface Given {
  readonly store: Store;
  readonly log: Logger;
  readonly keeper: KeeperChannel;
  readonly restart: Restart;
}

interface Parts {
  readonly store: Store;
  readonly leader: Leader;
  readonly api: Api;
  readonly alerting: Alerting;
  readonly housekeeping: Housekeeping;
}

/** The worker of `rocksy server`: store, leader, API. The keeper has its listening sockets, and starts it again. */
export class CloudServer implements AsyncDisposable {
  readonly #parts: Parts;
  #closing: Promise<void> | null = null;

  /** Resolves when it serves: on the keeper's sockets. */
  static async start(config: ServerConfig, given: Given): Promise<CloudServer> {
    const { store, log, keeper } = given;
    const clock: Clock = systemClock;
    const leader = await lead(config, store, clock, log);
    const restart = () => given.restart.ask();
    const cloud = { version, startedMs: clock.nowMs(), store, leader, clock, log, restart };
    const api = await Api.create({ cloud, requestsPerMinute: config.requestsPerMinute });
    for (const { name } of config.listen) keeper.listen(api.server(), name);
    const housekeeping = new Housekeeping({ store, clock, log, retention: config.retention });
    const alerting = await startAlerting(config, store, leader, clock, log);
    // What starting leaves behind, with 100,000 jobs 600 MB: V8 keeps the pages until a collection of this kind.
    globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    return new CloudServer({ store, leader, api, alerting, housekeeping });
  }

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** What is begun is answered and written; runs go on on their hosts. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { store, leader, api, alerting, housekeeping } = this.#parts;
    // A server is closed when all its connections are, the hosts' links among them.
    await Promise.all([api.close(), leader.hub.close()]);
    await housekeeping.close();
    await leader[Symbol.asyncDispose]();
    await alerting[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  }
}

export async function open({ store: url }: ServerConfig, log: Logger): Promise<Store> {
  return await openStore(url, {
    schema: 'create',
    onIdleError: (err) => log.warn({ err }, 'a connection to the store was lost'),
  });
}

/** Without channels too: whoever adds one later wants no old news. */
async function startAlerting(
  { alerts, gatherMs }: ServerConfig,
  store: Store,
  leader: Leader,
  clock: Clock,
  log: Logger,
): Promise<Alerting> {
  const alerting = new Alerting({
    store,
    clock,
    log,
    config: alerts,
    gatherMs,
    expectOf: (jobId) => leader.book.get(jobId as JobId)?.expect ?? null,
  });
  await alerting.start();
  await leader.feed.listen(null, () => alerting.wake());
  return alerting;
}

/** Waits while another instance leads. */
async function lead(config: ServerConfig, store: Store, clock: Clock, log: Logger): Promise<Leader> {
  const holder = `${hostname()}/${randomUUID()}`;
  for (let told = false; ; ) {
    const leader = await Leader.start({
      store,
      clock,
      log,
      version,
      holder,
      // The keeper of the one file's folder lets one of us in at a time.
      isAlone: config.store.startsWith('sqlite:'),
      silentAfterMs: config.silentAfterMs,
      lostAfterMs: config.lostAfterMs,
      maxQueued: config.maxQueued,
      allowsCommands: config.allowsCommands,
      deposed: (err) => {
        log.fatal({ err }, 'another instance leads: this one begins anew');
        process.exit(1);
      },
    });
    if (leader !== null) return leader;
    if (!told) log.info('another instance leads: waiting');
    told = true;
    await new Promise((resolve) => setTimeout(resolve, LEASE_MS / 4));
  }
}
