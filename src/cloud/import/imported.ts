import { stringify } from 'yaml';
import type { RawJob } from '../jobs/index.ts';

/** What became of one line of the file. */
export interface ImportedLine {
  /** From 1. */
  readonly line: number;
  readonly text: string;
  /** `job`: it became the job that is named. `setting`: it holds for lines after it. `ignored`: it says nothing. */
  readonly became: 'job' | 'setting' | 'ignored' | 'impossible';
  readonly job: string | null;
  /** What is different from before, or what has to be done by hand; for people. */
  readonly remarks: readonly string[];
}

export interface Imported {
  readonly jobs: Readonly<Record<string, RawJob>>;
  readonly lines: readonly ImportedLine[];
  /** Pools that the jobs name, and the user that each has to run as, where the file said so. */
  readonly pools: ReadonlyMap<string, string | null>;
}

/** The job file, as `rocksy apply` reads it. */
export function renderJobs(project: string, { jobs }: Imported): string {
  return stringify({ project, jobs }, { lineWidth: 0 });
}
