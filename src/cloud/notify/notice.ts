import type { IncidentKind } from './observation.ts';

/** What is told of an incident: that it is, that it still is, that it is over. */
export type NoticeWhat = 'opened' | 'reminder' | 'recovered';

/** A job in a notice. */
export interface NoticeJob {
  /** `project/name` */
  readonly job: string;
  /** The incidents that are meant. More than one only where a job recovers from several causes at once. */
  readonly incidents: readonly string[];
  /** How many times it has occurred. */
  readonly count: number;
  /** Since when. */
  readonly sinceMs: number;
  /** The run that was seen last. */
  readonly runKey: string | null;
}

/** One message to people: about one job, or about many with the same cause. */
export interface Notice {
  /** The same for the same events, so that to make it again tells nothing twice. */
  readonly id: string;
  readonly what: NoticeWhat;
  readonly kind: IncidentKind;
  /** As they were seen first; one, or for a recovery several. */
  readonly causes: readonly string[];
  readonly atMs: number;
  readonly jobs: readonly NoticeJob[];
  /** How many jobs there are besides `jobs`, by project. */
  readonly more: readonly { readonly project: string; readonly count: number }[];
}

/** Something to tell of one job. */
export interface News extends Pick<Notice, 'what' | 'kind' | 'causes'> {
  /** Which news may be told together. */
  readonly group: string;
  readonly job: NoticeJob;
}

export function projectOf(job: string): string {
  return job.slice(0, job.indexOf('/'));
}
