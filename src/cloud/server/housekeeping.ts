import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { Store } from '../store/index.ts';
import type { ServerConfig } from './config.ts';

const EVERY_MS = 60_000;
/** With one transaction; others write in between. */
const SLICE = 1_000;
/** In one go, so that a server that is told to stop does. */
const MAX_SLICES = 100;

export interface HousekeepingOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly retention: ServerConfig['retention'];
}

/** Lets what is old go, once a minute: runs, ledger, events. */
export class Housekeeping {
  readonly #options: HousekeepingOptions;
  readonly #timer: NodeJS.Timeout;
  #working: Promise<void> = Promise.resolve();
  #isClosing = false;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#working = this.#working
        .then(() => this.sweep())
        .catch((err: unknown) =>
          options.log.error({ err }, 'what is old could not be removed; trying again in a minute'),
        );
    }, EVERY_MS);
  }

  async sweep(): Promise<void> {
    const { store, clock, retention } = this.#options;
    const nowMs = clock.nowMs();
    const { maxRuns: keep, runsMs, ledgerMs, events } = retention;
    await this.#inSlices(() => store.runs.expire({ beforeMs: nowMs - runsMs, keep, limit: SLICE }));
    await this.#inSlices(() => store.ledger.expire(nowMs - ledgerMs, SLICE));
    await store.events.expire(events);
  }

  async #inSlices(expire: () => Promise<number>): Promise<void> {
    for (let slices = 0; slices < MAX_SLICES && !this.#isClosing; slices++)
      if ((await expire()) < SLICE) return;
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#timer);
    await this.#working;
  }
}
