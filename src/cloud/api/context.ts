import type { Logger } from 'pino';
import type { Answer, Input, OperationName } from '../../api/index.ts';
import type { Clock } from '../clock.ts';
import type { Leader } from '../leader/index.ts';
import type { Store } from '../store/index.ts';
import type { Asker } from './auth.ts';

/** The parts of the cloud that requests work with. */
export interface Cloud {
  readonly version: string;
  readonly startedMs: number;
  readonly store: Store;
  readonly leader: Leader;
  readonly clock: Clock;
  readonly log: Logger;
  /** Resolves when a new version takes over from us; rejects with TakeoverRefused when nothing has changed. */
  restart(): Promise<void>;
}

/** A request, its input checked. */
export interface Call<N extends OperationName> extends Input<N> {
  readonly cloud: Cloud;
  readonly asker: Asker;
  /** By which a run that this request makes is known, however often it is sent; null: it may make another each time. */
  readonly runKey: string | null;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The body as it was sent. */
  readonly raw: Buffer;
  setHeader(name: string, value: string): void;
}

export type Handler<N extends OperationName> = (call: Call<N>) => Promise<Answer<N>> | Answer<N>;
export type Handlers = { readonly [N in OperationName]: Handler<N> };
