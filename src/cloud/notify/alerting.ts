import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { RunRecord, Store } from '../store/index.ts';
import { AlertBook } from './book.ts';
import type { NotifyConfig } from './config.ts';
import type { Deliver } from './deliver/index.ts';
import { type Expectation, Expectations } from './expectations.ts';
import { AlertFeed } from './feed.ts';
import { GATHER_MS } from './gather.ts';
import { Heartbeat } from './heartbeat.ts';
import type { Observation } from './observation.ts';
import { Outbox } from './outbox.ts';
import type { OutboxStore } from './outbox-store.ts';
import { overdueEnds } from './reconcile.ts';

const HOUR_MS = 3_600_000;
/** Closed incidents, and deliveries that are over. */
const KEPT_MS = 30 * 24 * HOUR_MS;
/** Forgotten with one transaction, and so many times in a row at most. */
const SLICE = 1000;
const MAX_SLICES = 100;

export interface AlertingOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly config: NotifyConfig;
  readonly log: Pick<Logger, 'debug' | 'warn'>;
  /** How long news wait for others with the same cause. Default: a minute. */
  readonly gatherMs?: number;
  /** What a job expects of its runs; null: nothing. */
  readonly expectOf: (jobId: string) => Expectation | null;
  /** Whether the control plane does its work, for the heartbeat. By default: whether its store answers. */
  readonly isWell?: () => Promise<boolean>;
  /** For tests. */
  readonly deliver?: Deliver;
}

/**
 * Alerts of one control plane: log of events → incidents → notices → deliveries, everything in between in the store.
 * One at a time works on a store: that of the leader.
 */
export class Alerting implements AsyncDisposable {
  readonly #options: AlertingOptions;
  readonly #book: AlertBook;
  readonly #feed: AlertFeed;
  readonly #outbox: Outbox;
  readonly #expectations: Expectations;
  #heartbeat: Heartbeat | null = null;
  #tidying: { timer: Disposable | null; done: Promise<void> } | null = null;
  /** Runs of batches up to this one are in the list of those that had not ended at the start. */
  #listedUpTo = 0;
  #isStopped = false;

  constructor(options: AlertingOptions) {
    const { store, clock, config, log, expectOf, deliver } = options;
    this.#options = options;
    const channels = () => config.channels;
    const deliveries: OutboxStore = store.alerts.deliveries;
    this.#outbox = new Outbox({
      store: deliveries,
      clock,
      channels,
      onError: (err) => log.warn({ err }, 'deliveries of alerts can not be read or noted; trying again'),
      onAttempt: ({ id, channel }, { ok, status, detail }, nextMs) => {
        if (ok) log.debug({ channel, delivery: id, status }, 'an alert was delivered');
        else log.warn({ channel, delivery: id, status, detail, nextMs }, 'an alert was not delivered');
      },
      ...(deliver === undefined ? {} : { deliver }),
    });
    this.#book = new AlertBook({
      store: store.alerts,
      clock,
      channels,
      gatherMs: options.gatherMs ?? GATHER_MS,
      onDeliveries: () => this.#outbox.wake(),
    });
    this.#expectations = new Expectations({
      clock,
      expectOf,
      observe: (look) => this.#feed.observe(look),
    });
    this.#feed = new AlertFeed({
      store,
      book: this.#book,
      clock,
      onRun: (event, { id, atMs }) => {
        if (id > this.#listedUpTo) this.#expectations.seen(event, atMs);
      },
      onError: (err) => log.warn({ err }, 'alerts can not be read or written; trying again'),
      onGap: (gap) => log.warn(gap, 'events were forgotten before alerts had read them'),
    });
  }

  /** Goes on where whoever worked on this store stopped; the first time ever, with what happens from now on. */
  async start(): Promise<void> {
    const { store, clock, config, isWell = () => this.#isStoreWell() } = this.#options;
    this.#listedUpTo = (await store.events.range()).last;
    const active: RunRecord[] = [];
    for await (const run of store.runs.active()) if (run.jobId !== null) active.push(run);
    this.#feed.observe(() => this.#overdueEnds(active));
    this.#expectations.begin(active);
    await this.#feed.start();
    this.#outbox.wake();
    this.#tidy();
    if (config.heartbeat !== null) this.#heartbeat = new Heartbeat({ ...config.heartbeat, clock, isWell });
  }

  /** Events were appended to the log. */
  wake(): void {
    this.#feed.wake();
  }

  /** Resolves when it has dealt with all events that it was woken for. */
  async settled(): Promise<void> {
    await this.#feed.settled();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    this.#tidying?.timer?.[Symbol.dispose]();
    this.#expectations[Symbol.dispose]();
    await Promise.all([
      this.#heartbeat?.[Symbol.asyncDispose](),
      this.#feed[Symbol.asyncDispose](),
      this.#outbox[Symbol.asyncDispose](),
      this.#tidying?.done,
    ]);
  }

  async #overdueEnds(active: readonly RunRecord[]): Promise<readonly Observation[]> {
    const incidents = await this.#book.incidents();
    if (incidents.length === 0) return [];
    const jobs = await this.#options.store.jobs.list();
    const names = new Set(jobs.map(({ definition: { project, name } }) => `${project}/${name}`));
    return overdueEnds(incidents, active, names, this.#options.clock.nowMs());
  }

  async #isStoreWell(): Promise<boolean> {
    await this.#options.store.alerts.nextSweepMs();
    return true;
  }

  #tidy(): void {
    this.#tidying = { timer: null, done: this.#expire() };
  }

  async #expire(): Promise<void> {
    const { store, log } = this.#options;
    const nowMs = this.#options.clock.nowMs();
    try {
      for (let slices = 0; slices < MAX_SLICES && !this.#isStopped; slices++)
        if ((await store.alerts.expire(nowMs - KEPT_MS, SLICE)) === 0) break;
    } catch (err) {
      log.warn({ err }, 'old alerts could not be removed; trying again in an hour');
    }
    if (this.#isStopped || this.#tidying === null) return;
    this.#tidying.timer = this.#options.clock.at(nowMs + HOUR_MS, () => this.#tidy());
  }
}
