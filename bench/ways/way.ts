import type { Usage } from '../support/usage.ts';

/** The measured classes in bench/app, in each language. */
export type Job = 'FirstLine' | 'Nothing' | 'Hold';

/** One way of running a class. */
export interface Way extends AsyncDisposable {
  readonly name: string;
  /** A folder that the runs may write to. */
  readonly folder: string;
  /** Runs a class with one parameter; resolves when its outcome, which must be a good one, is known. */
  run(job: Job, param: object): Promise<void>;
  /** What everything that belongs to this way has used so far; the asking program is not part of it. */
  usage(): Usage;
}
