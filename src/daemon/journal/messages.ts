import type { RunFile, RunKey } from '../../wire/index.ts';
import type { Failure } from './failure.ts';
import type { PhaseColumns, RunColumns } from './rows.ts';

/** `accepted`: it is new. `known`: it was there before. `freed`: its tombstone says it has run and may not again yet. */
export type Accepted = 'accepted' | 'known' | 'freed';

/** An ended run that the journal forgets: what belonged to it may be deleted. */
export interface Removed {
  readonly key: RunKey;
  readonly pool: string;
  /** Base name of its run file. */
  readonly file: RunFile;
  /** Name of its log, or null when other runs of the pool, still known, write to the same one. */
  readonly log: string | null;
}

export interface Expirable extends Removed {
  readonly seq: number;
}

/** A place in the order of ended runs, oldest first. */
export interface EndedBound {
  readonly endedMs: number;
  readonly seq: number;
}

/** One thing to be written. Strings and numbers only: cheap to clone across threads. */
export type Op =
  | { readonly op: 'accept'; readonly run: RunColumns; readonly tombstonesSinceMs: number }
  | { readonly op: 'record'; readonly key: RunKey; readonly to: PhaseColumns }
  | { readonly op: 'free'; readonly key: RunKey; readonly tombstoneMs: number | null }
  | { readonly op: 'settle'; readonly key: RunKey }
  /** The newest of the ended local runs that are beyond the newest `keep`, or null. */
  | { readonly op: 'excess'; readonly keep: number }
  /** The oldest ended local runs, up to the bound. Only read. */
  | { readonly op: 'expirable'; readonly upTo: EndedBound; readonly limit: number }
  | { readonly op: 'forget'; readonly seqs: readonly number[] }
  | { readonly op: 'expireTombstones'; readonly beforeMs: number; readonly limit: number }
  | { readonly op: 'session'; readonly atLeast: number };

/** What each kind of Op is answered with once it is committed. */
export interface Results {
  readonly accept: Accepted;
  readonly record: 'recorded' | 'superseded' | 'unknown';
  readonly free: boolean;
  readonly settle: boolean;
  readonly excess: EndedBound | null;
  readonly expirable: readonly Expirable[];
  readonly forget: number;
  readonly expireTombstones: number;
  readonly session: number;
}

export type Result = Results[keyof Results];

/** The answer to one Op of a turn that was committed. */
export type Reply =
  | { readonly ok: true; readonly result: Result }
  | { readonly ok: false; readonly failure: Failure };

/** Main thread to journal thread. One turn at a time. */
export type ToThread = { readonly type: 'turn'; readonly ops: readonly Op[] } | { readonly type: 'close' };

/** Journal thread to main thread. */
export type FromThread =
  | { readonly type: 'open' }
  | { readonly type: 'refused'; readonly failure: Failure }
  | { readonly type: 'committed'; readonly replies: readonly Reply[] }
  | { readonly type: 'failed'; readonly failure: Failure };

export interface ThreadData {
  readonly path: string;
  readonly idleMs: number;
}
