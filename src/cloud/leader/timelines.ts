import { Heap } from '../heap.ts';
import { timingOf } from '../jobs/index.ts';
import { nextDue } from '../scheduler/index.ts';
import type { Fence, JobId, KeptNextDue, Store } from '../store/index.ts';
import type { Backlog } from './backlog.ts';
import { type DueJob, DueList } from './due-list.ts';
import type { JobBook, JobEntry } from './job-book.ts';

/** Up to where a job's fires have been decided, and when the next one is due. */
export interface Timeline {
  readonly decidedMs: number;
  readonly nextMs: number | null;
  /** Null: there is none, or it has not been looked for. */
  readonly backlog: Backlog | null;
}

export interface TimelinesOptions {
  readonly store: Pick<Store, 'nextDue'>;
  readonly book: JobBook;
  readonly fence: Fence;
  /** By what due instants are computed: what was computed by other ones is computed anew. */
  readonly rules: string;
}

/** Of how many jobs it is written down when they are due next, each time; of the others it is the next time. */
const SAVED_AT_ONCE = 2_000;
/** With one statement. */
const SLICE = 500;

/**
 * The timelines of all jobs, and who is due first. To compute when a job is due is dear, so the store keeps that, for
 * whoever leads next. Whatever is due before is in the ledger already: it holds from whichever watermark one goes on.
 */
export class Timelines {
  readonly #options: TimelinesOptions;
  readonly #all = new Map<JobId, Timeline>();
  /** Those of which the store has not when they are due next. */
  readonly #unsaved = new Set<JobId>();
  readonly #future = new Heap<DueJob<JobId>>((a, b) => a.dueMs < b.dueMs);
  readonly #due = new DueList<JobId>();

  constructor(options: TimelinesOptions) {
    this.#options = options;
  }

  get(id: JobId): Timeline | undefined {
    return this.#all.get(id);
  }

  put(id: JobId, timeline: Timeline): void {
    this.#putKept(id, timeline);
    this.#unsaved.add(id);
  }

  /** One that the store has. */
  #putKept(id: JobId, timeline: Timeline): void {
    this.#all.set(id, timeline);
    const { decidedMs, nextMs } = timeline;
    if (nextMs !== null) this.#future.push({ id, dueMs: nextMs, restedMs: nextMs - decidedMs });
  }

  remove(id: JobId): void {
    this.#all.delete(id);
  }

  /** Nothing is due before; null: never. */
  get firstMs(): number | null {
    const [due, future] = [this.#due.firstMs, this.#future.peek()?.dueMs ?? null];
    return due === null || future === null ? (due ?? future) : Math.min(due, future);
  }

  /** Those that are due, so many at most. Each has to be put again. */
  takeDue(nowMs: number, most: number): JobId[] {
    const isStill = ({ id, dueMs }: DueJob<JobId>) => this.#all.get(id)?.nextMs === dueMs;
    for (let top = this.#future.peek(); top !== undefined && top.dueMs <= nowMs; top = this.#future.peek()) {
      this.#future.pop();
      if (isStill(top)) this.#due.add(top);
    }
    return [...this.#due.take(most, isStill)];
  }

  /** Takes up jobs whose fires are decided up to a watermark. */
  async resume(entries: readonly JobEntry[], decidedMs: number): Promise<void> {
    const { store, book, rules } = this.#options;
    const ids = entries.map(({ id }) => id);
    const kept = new Map((await store.nextDue.many(ids, rules)).map((each) => [each.jobId, each]));
    const unknown: JobId[] = [];
    for (const { id, version, updatedMs } of entries) {
      const next = kept.get(id);
      // Of a job that has changed since, its former definitions count as well: it is looked at right away.
      if (updatedMs > decidedMs) this.put(id, { decidedMs, nextMs: decidedMs, backlog: null });
      else if (next?.version === version && (next.dueMs === null || next.dueMs >= decidedMs))
        this.#putKept(id, { decidedMs, nextMs: next.dueMs, backlog: null });
      else unknown.push(id);
    }
    for (const [id, definition] of await book.definitions(unknown))
      this.put(id, { decidedMs, nextMs: nextDue(timingOf(definition), decidedMs), backlog: null });
    await this.save();
  }

  async save(): Promise<void> {
    const { store, rules, fence } = this.#options;
    const ids = this.#unsaved.values().take(SAVED_AT_ONCE).toArray();
    for (let from = 0; from < ids.length; from += SLICE) {
      const slice = ids.slice(from, from + SLICE);
      await store.nextDue.save(
        slice.flatMap((id) => this.#keptOf(id) ?? []),
        rules,
        fence,
      );
      for (const id of slice) this.#unsaved.delete(id);
    }
  }

  /** Null: the job is gone. */
  #keptOf(jobId: JobId): KeptNextDue | null {
    const [entry, timeline] = [this.#options.book.get(jobId), this.#all.get(jobId)];
    if (entry === undefined || timeline === undefined) return null;
    return { jobId, version: entry.version, dueMs: timeline.nextMs };
  }
}

/** By what a release of Rocksy computes due instants: its own code, and the time zones that its Node knows. */
export function rulesOf(version: string): string {
  return `rocksy ${version}, tz ${process.versions.tz}`;
}
