import type { RunEventName } from '../../wire/index.ts';
import type { Origin, Run } from './run.ts';

export interface Subscription {
  readonly events: ReadonlySet<RunEventName>;
  readonly pool: string | null;
  readonly key: string | null;
  /** null: of any. */
  readonly origin: Origin | null;
  /** @param more fields of the pushed line besides `event` and `run` */
  readonly push: (event: RunEventName, run: Run, more: object) => void;
}

/** Who wants to hear of runs. */
export class Subscriptions {
  readonly #all = new Set<Subscription>();

  get size(): number {
    return this.#all.size;
  }

  add(subscription: Subscription): () => void {
    this.#all.add(subscription);
    return () => this.#all.delete(subscription);
  }

  emit(event: RunEventName, run: Run, more: object = {}): void {
    for (const subscription of this.#all) {
      if (!subscription.events.has(event)) continue;
      if (subscription.pool !== null && subscription.pool !== run.identity.pool) continue;
      if (subscription.key !== null && subscription.key !== run.identity.key) continue;
      if (subscription.origin !== null && subscription.origin !== run.identity.origin) continue;
      subscription.push(event, run, more);
    }
  }
}
