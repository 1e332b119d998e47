/** A job, and since when it is due. */
export interface DueJob<Id> {
  readonly id: Id;
  readonly dueMs: number;
  /** How long it had not been due before: jobs that are due often wait the least among those of one instant. */
  readonly restedMs: number;
}

/**
 * Jobs that are due and have not been dealt with. When there are more of them than can be dealt with in one go, half of
 * each go are those that wait the longest, so that none is left behind, and half those that have just become due, so
 * that neither ten thousand jobs of one instant nor the rest of an outage make the others late.
 */
export class DueList<Id> {
  /** In order. */
  readonly #jobs: DueJob<Id>[] = [];

  /** No job is due before; null: none is due. */
  get firstMs(): number | null {
    return this.#jobs[0]?.dueMs ?? null;
  }

  add(job: DueJob<Id>): void {
    const jobs = this.#jobs;
    const last = jobs.at(-1);
    if (last === undefined || !isBefore(job, last)) jobs.push(job);
    else jobs.splice(placeOf(job, jobs), 0, job);
  }

  /** So many of those that are still as they were when they were added, at most; the others are dropped on the way. */
  take(most: number, isStill: (job: DueJob<Id>) => boolean): Set<Id> {
    const taken = new Set<Id>();
    const jobs = this.#jobs;
    let begin = 0;
    for (; begin < jobs.length && taken.size < Math.ceil(most / 2); begin++) {
      const job = jobs[begin] as DueJob<Id>;
      if (isStill(job)) taken.add(job.id);
    }
    jobs.splice(0, begin);
    while (taken.size < most) {
      const job = jobs.pop();
      if (job === undefined) break;
      if (isStill(job)) taken.add(job.id);
    }
    return taken;
  }
}

function isBefore<Id>(a: DueJob<Id>, b: DueJob<Id>): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.restedMs < b.restedMs);
}

/** Behind all that are not after it. */
function placeOf<Id>(job: DueJob<Id>, jobs: readonly DueJob<Id>[]): number {
  let [low, high] = [0, jobs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(job, jobs[middle] as DueJob<Id>)) high = middle;
    else low = middle + 1;
  }
  return low;
}
