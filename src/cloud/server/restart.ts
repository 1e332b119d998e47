import type { Logger } from 'pino';
import { type KeeperChannel, TakeoverRefused } from '../../takeover/index.ts';

/** Lets a new version take over, and tells whoever asked whether it does. */
export class Restart {
  readonly #keeper: Pick<KeeperChannel, 'takeover'>;
  readonly #log: Pick<Logger, 'error'>;
  #under: PromiseWithResolvers<void> | null = null;

  constructor(keeper: Pick<KeeperChannel, 'takeover'>, log: Pick<Logger, 'error'>) {
    this.#keeper = keeper;
    this.#log = log;
  }

  /** Resolves when the new version is found good, which ends us; rejects with TakeoverRefused when nothing has changed. */
  ask(): Promise<void> {
    if (this.#under !== null) return this.#under.promise;
    const under = Promise.withResolvers<void>();
    this.#under = under;
    this.#keeper.takeover().catch((error: unknown) => {
      this.#under = null;
      under.reject(error as Error);
    });
    // By a signal it is asked for by nobody who would hear of it.
    under.promise.catch((error: unknown) => {
      if (!(error instanceof TakeoverRefused)) throw error;
      this.#log.error({ reason: error.message, output: error.output }, 'no restart: this version serves on');
    });
    return under.promise;
  }

  /** The new version waits for us to put down our work. */
  begins(): void {
    this.#under?.resolve();
  }
}
