import { createHash } from 'node:crypto';
import { type News, type Notice, type NoticeJob, type NoticeWhat, projectOf } from './notice.ts';
import type { IncidentKind } from './observation.ts';

/** News wait so long for others with the same cause, so that a hundred jobs that fail at once make one notice. */
export const GATHER_MS = 60_000;
/** The jobs that a notice names; of the others it has the number. */
export const MAX_JOBS = 500;
const MAX_CAUSES_TOLD = 5;

/** What comes after what in the story of an incident. */
const ORDER: readonly NoticeWhat[] = ['opened', 'reminder', 'recovered'];

/** News of one kind and cause that wait to be told together. Plain data. */
export interface Gathering {
  readonly kind: IncidentKind;
  readonly group: string;
  readonly dueMs: number;
  readonly parts: readonly Part[];
}

/**
 * What will be one notice. Its place makes the order: opened, reminder, recovered, and again from the start for a job
 * that is back before anything was told.
 */
interface Part extends Pick<Notice, 'causes' | 'atMs' | 'jobs' | 'more'> {
  readonly place: number;
}

export interface GatherStep {
  readonly gatherings: readonly Gathering[];
  /** What has to be told now, in this order. */
  readonly notices: readonly Notice[];
}

/** The news join what waits for the same cause, or begin to wait. No incident's story is ever told out of order. */
export function gather(
  gatherings: readonly Gathering[],
  news: News,
  nowMs: number,
  waitMs: number = GATHER_MS,
): GatherStep {
  const isOwn = (each: Gathering) => each.kind === news.kind && each.group === news.group;
  const dueMs = gatherings.find(isOwn)?.dueMs ?? nowMs + waitMs;
  const former = gatherings.filter((each) => each.kind === news.kind && isAboutSame(each, news.job));
  // What was to be told of it before waits elsewhere, and for longer: it is told now, and not gathered any further.
  const { gatherings: rest, notices } = former.some((each) => !isOwn(each) && each.dueMs >= dueMs)
    ? take(gatherings, (each) => former.includes(each))
    : { gatherings, notices: [] };
  const own = rest.find(isOwn) ?? { kind: news.kind, group: news.group, dueMs: nowMs + waitMs, parts: [] };
  return { gatherings: [...rest.filter((each) => !isOwn(each)), joined(own, news, nowMs)], notices };
}

/** What has waited long enough. */
export function flush(gatherings: readonly Gathering[], nowMs: number): GatherStep {
  return take(gatherings, ({ dueMs }) => dueMs <= nowMs);
}

function take(gatherings: readonly Gathering[], which: (each: Gathering) => boolean): GatherStep {
  const taken = gatherings.filter(which).sort((a, b) => a.dueMs - b.dueMs);
  return {
    gatherings: gatherings.filter((each) => !which(each)),
    notices: taken.flatMap((each) => each.parts.map((part) => noticeOf(each, part))),
  };
}

function joined(gathering: Gathering, news: News, nowMs: number): Gathering {
  const place = placeAfter(placeOf(gathering, news.job.job), ORDER.indexOf(news.what));
  const known = gathering.parts.find((part) => part.place === place);
  const part = withJob(known ?? { place, causes: [], atMs: nowMs, jobs: [], more: [] }, news);
  const parts = [...gathering.parts.filter((each) => each !== known), part];
  return { ...gathering, parts: parts.sort((a, b) => a.place - b.place) };
}

function isAboutSame({ parts }: Gathering, { incidents }: NoticeJob): boolean {
  return parts.some(({ jobs }) => jobs.some((each) => each.incidents.some((id) => incidents.includes(id))));
}

/** Where the job was named last; -1: nowhere. */
function placeOf({ parts }: Gathering, job: string): number {
  return parts.reduce((last, part) => (part.jobs.some((each) => each.job === job) ? part.place : last), -1);
}

/** The first place of this order after `former`. */
function placeAfter(former: number, order: number): number {
  const next = former + 1;
  return next + ((((order - next) % ORDER.length) + ORDER.length) % ORDER.length);
}

function withJob(part: Part, { what, job, causes }: News): Part {
  // What opens by one cause differs in numbers only.
  const all = what === 'recovered' ? [...new Set([...part.causes, ...causes])] : [...part.causes, ...causes];
  const told = all.slice(0, what === 'recovered' ? MAX_CAUSES_TOLD : 1);
  if (part.jobs.length < MAX_JOBS) return { ...part, causes: told, jobs: [...part.jobs, job] };
  return { ...part, causes: told, more: oneMore(part.more, job) };
}

function oneMore(more: Notice['more'], { job }: NoticeJob): Notice['more'] {
  const project = projectOf(job);
  const known = more.find((each) => each.project === project);
  if (known === undefined) return [...more, { project, count: 1 }];
  return more.map((each) => (each === known ? { project, count: each.count + 1 } : each));
}

function noticeOf({ kind }: Gathering, { place, causes, atMs, jobs, more }: Part): Notice {
  const what = ORDER[place % ORDER.length];
  if (what === undefined) throw new Error(`no notice has the place ${place}`);
  const told = { what, kind, causes, atMs, jobs, more };
  const id = createHash('sha256').update(JSON.stringify(told)).digest('hex').slice(0, 24);
  return { id: `ntc_${id}`, ...told };
}
