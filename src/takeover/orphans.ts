// Processes that have lost their parent: the keeper, as child subreaper, is their new one (PR_SET_CHILD_SUBREAPER in
// prctl(2)). What it learns by reaping them is kept here until a worker has acknowledged it.
import { peekZombie, startTime, wait4 } from '../posix/index.ts';
import type { Orphan } from './messages.ts';

export type OrphanEnd = Omit<Orphan, 'id'>;

/** Bounded: the oldest go first. */
export class Orphans {
  readonly #capacity: number;
  readonly #waiting = new Map<number, Orphan>();
  #lastId = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** `dropped`: what had to go to make room. */
  add(end: OrphanEnd): { added: Orphan; dropped: Orphan | null } {
    const added = { id: ++this.#lastId, ...end };
    this.#waiting.set(added.id, added);
    if (this.#waiting.size <= this.#capacity) return { added, dropped: null };
    const [oldest = added] = this.#waiting.values();
    this.#waiting.delete(oldest.id);
    return { added, dropped: oldest };
  }

  acknowledge(ids: readonly number[]): void {
    for (const id of ids) this.#waiting.delete(id);
  }

  get unacknowledged(): readonly Orphan[] {
    return [...this.#waiting.values()];
  }
}

/**
 * Reaps every zombie up to the first that is `own`: waitid(2) shows the same one until somebody reaps it, and libuv
 * alone may reap the children that it started (else their 'exit' events never come). Call it again after that event.
 */
export function reapOrphans(own: (pid: number) => boolean): OrphanEnd[] {
  const ends: OrphanEnd[] = [];
  for (let pid = peekZombie(); pid !== null && !own(pid); pid = peekZombie()) {
    const started = startTime(pid); // before the reaping: afterwards the pid may be somebody else's
    const end = wait4(pid, 'nohang');
    if (end === null) break; // ptrace(2): a tracer has to reap it first
    ends.push({ ...end, startTime: started, endedMs: Date.now() });
  }
  return ends;
}
