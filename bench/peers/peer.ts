/**
 * What is measured: one job at a time; many jobs that do nothing; many jobs of which each is a process of its own, with
 * its exit code noted.
 */
export type Scenario = 'latency' | 'batch' | 'processes';

/** What the numbers of a row contain: nobody should compare rows without it. */
export interface Includes {
  readonly ownProcess: string;
  readonly exitCode: string;
  readonly log: string;
  readonly http: string;
  /** What has survived a power cut by the time that add() returns, and what by the time a job counts as completed. */
  readonly durable: string;
}

/** A row of the table. */
export interface Peer {
  readonly name: string;
  readonly includes: Includes;
  /** With which settings, in the words of its documentation. */
  readonly settings: string;
  /** What makes sense for it: the others stay empty. */
  readonly scenarios: readonly Scenario[];
  /** What this machine lacks for it, and the remedy; null when nothing. */
  missing(): string | null;
  /** An empty queue with a worker of the settings that are best for this scenario, connected and waiting. */
  start(scenario: Scenario): Promise<Started>;
}

/** A queue with a worker, until it is disposed of: nothing of it runs while another is measured. */
export interface Started extends AsyncDisposable {
  /** Adds one job. Resolves with the milliseconds from the call of add() to the handler's first line. */
  one(): Promise<number>;
  /** Adds so many jobs in the best way there is. Resolves when all are known, in the store, to have completed. */
  many(count: number): Promise<void>;
}

/** What one turn of a peer has found. */
export type Found = { readonly p50Ms: number; readonly p99Ms: number } | { readonly perSecond: number };
