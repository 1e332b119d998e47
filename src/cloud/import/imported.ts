import { stringify } from 'yaml';
import { DocumentError } from '../../document/index.ts';
import { parseJobs, type RawJob } from '../jobs/index.ts';

/** What became of one line of the file. */
export interface ImportedLine {
  /** From 1. */
  readonly line: number;
  readonly text: string;
  /** `job`: it became the job that is named. `setting`: it holds for other lines. `ignored`: it says nothing. */
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

export interface RenderOptions {
  /** Its jobs are scheduled and recorded, and not run. */
  readonly shadow?: boolean;
}

/** The job file, as `rocksy apply` reads it. */
export function renderJobs(
  project: string,
  { jobs }: Imported,
  { shadow = false }: RenderOptions = {},
): string {
  const file = { project, ...(shadow ? { defaults: { shadow: true } } : {}), jobs };
  return stringify(file, { lineWidth: 0 });
}

/** Why a job file with this job would be refused; null: it is correct. */
export function problemOfJob(job: RawJob): string | null {
  try {
    parseJobs(stringify({ jobs: { it: job } }, { lineWidth: 0 }), 'jobs.yaml');
    return null;
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    return error.problems
      .map(({ key, message }) => `${key.replace(/^jobs\.it\.?/, '')}: ${message}`)
      .join('; ');
  }
}
