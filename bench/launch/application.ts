import { type Rate, rate } from '../support/measure.ts';
import type { Bare, BareOptions } from '../ways/bare.ts';
import type { Rocksy } from '../ways/rocksy.ts';
import type { Way } from '../ways/way.ts';
import type { Turns } from './turns.ts';

/**
 * What a row stands for: warm runs are compared with `cold`, the aims are about `fork` and `prefork`, others are only shown;
 * those that are `started` have a process started for each run, and are asked less often.
 */
export type Row =
  | { readonly kind: 'cold' | 'started' | 'prefork' | 'other'; start(): Promise<Measurable> }
  | { readonly kind: 'fork'; start(): Promise<Measurable<Rocksy>> };

/** Between two requests that come now and then: long enough for the replacement of a parked child. */
export const PAUSE_MS = 20;

export interface Measurable<W extends Way = Way> {
  readonly way: W;
  readonly pauseMs: number;
  /** Runs a second with so many in flight. */
  rate(inFlight: number, seconds: number): Promise<Rate>;
}

export function measurable<W extends Way>(way: W, pauseMs = PAUSE_MS): Measurable<W> {
  return { way, pauseMs, rate: (inFlight, seconds) => rate(way, inFlight, seconds) };
}

/** What "Speed" asks of a framework; see docs/benchmarks.md. */
export interface Aims {
  /** Fork on request, p50: so many times the limit, and 1 ms. */
  readonly ofLimit: number;
  readonly timesCold: { readonly fork: number; readonly prefork: number };
}

/** The least that a run of this application can cost: a fork of as large a process that does nothing else. */
export interface Limit {
  readonly name: string;
  fork(options: BareOptions): Bare;
}

/** An application that loads a framework, in every way that it can be started. */
export interface Application {
  readonly title: string;
  /** In the order of the tables. */
  readonly rows: readonly Row[];
  readonly aims: Aims;
  /** Asked while the pool that forks on request serves. */
  limit(fork: Rocksy): Promise<Limit>;
  /** Rates that are compared in turns, where there is an aim for them. */
  readonly takeTurns: (() => Promise<Turns>) | null;
}
