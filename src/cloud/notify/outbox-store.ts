import type { Notice } from './notice.ts';
import type { NewDelivery } from './route.ts';

/** A delivery whose time has come. */
export interface DueDelivery extends Pick<NewDelivery, 'id' | 'channel' | 'notice'> {
  /** Attempts so far. */
  readonly made: number;
}

export interface Attempt {
  readonly atMs: number;
  readonly tookMs: number;
  readonly ok: boolean;
  readonly status: number | null;
  /** Short and without secrets. */
  readonly detail: string;
}

/** What the log of deliveries shows. */
export interface DeliveryLog {
  readonly id: string;
  readonly channel: string;
  readonly notice: Notice;
  readonly createdMs: number;
  readonly state: 'waiting' | 'delivered' | 'given_up';
  /** When it is tried next; null: it is over. */
  readonly nextMs: number | null;
  readonly attempts: readonly Attempt[];
}

export interface OutboxPage {
  readonly limit?: number;
  readonly cursor?: string;
}

/** Where deliveries wait and are remembered. What it has said to be done is on the disk. */
export interface OutboxStore {
  /** Those whose id is known already are left as they are. */
  add(deliveries: readonly NewDelivery[]): Promise<void>;
  /** At most `limit` of what is due, the earliest first, but none of these channels. */
  due(nowMs: number, limit: number, without: readonly string[]): Promise<readonly DueDelivery[]>;
  /** When the earliest is due that waits for another than these channels; null: none does. */
  nextDueMs(without: readonly string[]): Promise<number | null>;
  /** Notes an attempt. `nextMs`: when to try again; null: it is over, delivered when it was ok, else given up. */
  settle(id: string, attempt: Attempt, nextMs: number | null): Promise<void>;
  /** The log, latest first. */
  list(page: OutboxPage): Promise<{ readonly items: readonly DeliveryLog[]; readonly next: string | null }>;
}
