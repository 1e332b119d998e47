import { Heap } from '../heap.ts';

/** How much longer a run of the next lower priority has to have waited to go first: nothing waits for ever. */
export const PRIORITY_STEP_MS = 30_000;

/** A number of runs at a time. */
export interface Limit {
  /** Those that share it have the same name. */
  readonly name: string;
  readonly max: number;
}

/** A run that could go now. */
export interface Waiting {
  readonly key: string;
  readonly priority: number;
  readonly queuedMs: number;
  /** The same for all that the same hosts would do for. */
  readonly needs: string;
  readonly limits: readonly Limit[];
}

interface Entry {
  readonly run: Waiting;
  readonly rank: number;
  /** Of equal rank, who came first goes first. */
  readonly number: number;
  gone: boolean;
}

/** Runs with the same needs and limits: they go one after the other. */
interface Lane {
  readonly id: string;
  readonly group: Group;
  readonly entries: Heap<Entry>;
  readonly limits: readonly Limit[];
  /** Stands in the group's heap, or waits for a limit. */
  place: 'group' | 'limit' | 'nowhere';
}

/** Lanes with the same needs. What stands in its heap is the rank that a lane had when it was put there. */
interface Group {
  readonly needs: string;
  laneCount: number;
  readonly lanes: Heap<{ readonly lane: Lane; readonly rank: number }>;
}

/**
 * Runs that wait for a host: by priority and age, no more at a time than their limits say. What no host does for now
 * keeps nobody waiting whose needs are others.
 */
export class Queue {
  readonly #entries = new Map<string, Entry>();
  readonly #lanes = new Map<string, Lane>();
  readonly #groups = new Map<string, Group>();
  /** Groups that may have a lane to go on with. */
  readonly #ready = new Set<Group>();
  readonly #taken = new Map<string, number>();
  /** Lanes by the limit that they wait for. */
  readonly #held = new Map<string, Set<Lane>>();

  #count = 0;

  get size(): number {
    return this.#entries.size;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  add(run: Waiting): void {
    const entry: Entry = {
      run,
      rank: run.queuedMs - run.priority * PRIORITY_STEP_MS,
      number: ++this.#count,
      gone: false,
    };
    this.#entries.set(run.key, entry);
    const id = JSON.stringify([run.needs, run.limits]);
    let lane = this.#lanes.get(id);
    if (lane === undefined) {
      const group = this.#group(run.needs);
      group.laneCount++;
      const entries = new Heap<Entry>(
        (a, b) => a.rank < b.rank || (a.rank === b.rank && a.number < b.number),
      );
      lane = { id, group, entries, limits: run.limits, place: 'nowhere' };
      this.#lanes.set(id, lane);
    }
    const isFirst = (lane.entries.peek()?.rank ?? Number.POSITIVE_INFINITY) > entry.rank;
    lane.entries.push(entry);
    if (lane.place === 'nowhere' || (lane.place === 'group' && isFirst)) this.#offer(lane);
  }

  remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.gone = true;
    this.#entries.delete(key);
  }

  /** It is on a host now, or was found there: it counts. */
  take(limits: readonly Limit[]): void {
    for (const { name } of limits) this.#taken.set(name, this.taken(name) + 1);
  }

  /** It is on no host any more. */
  release(limits: readonly Limit[]): void {
    for (const { name } of limits) {
      const left = this.taken(name) - 1;
      if (left > 0) this.#taken.set(name, left);
      else this.#taken.delete(name);
      const held = this.#held.get(name);
      if (held === undefined) continue;
      this.#held.delete(name);
      for (const lane of held) this.#offer(lane);
    }
  }

  taken(limit: string): number {
    return this.#taken.get(limit) ?? 0;
  }

  /** The limit that a run waits for; null: it is none. */
  heldBy(limits: readonly Limit[]): Limit | null {
    return limits.find(({ name, max }) => this.taken(name) >= max) ?? null;
  }

  /**
   * Gives one run after the other to `place`, the one that is due first first, until nobody is left that could go. It
   * says whether it found a host; if so, the run has left the queue and counts.
   */
  dispatch(place: (run: Waiting) => boolean): void {
    const exhausted: Group[] = [];
    for (let group = this.#first(); group !== null; group = this.#first()) {
      const lane = group.lanes.pop()?.lane;
      if (lane === undefined) continue;
      const entry = head(lane);
      if (entry === undefined) {
        this.#forget(lane);
        continue;
      }
      const limit = this.heldBy(lane.limits);
      if (limit !== null) {
        this.#hold(lane, limit);
        continue;
      }
      if (place(entry.run)) {
        lane.entries.pop();
        this.#entries.delete(entry.run.key);
        this.take(lane.limits);
        this.#offer(lane);
      } else {
        this.#offer(lane);
        this.#ready.delete(group);
        exhausted.push(group);
      }
    }
    for (const group of exhausted) this.#ready.add(group);
  }

  /** The group whose first lane is due first. Stale places in heaps are cleared on the way. */
  #first(): Group | null {
    let best: Group | null = null;
    let least = Number.POSITIVE_INFINITY;
    for (const group of this.#ready) {
      const rank = firstRank(group);
      if (rank === null) this.#ready.delete(group);
      else if (rank < least) {
        least = rank;
        best = group;
      }
    }
    return best;
  }

  #offer(lane: Lane): void {
    const entry = head(lane);
    if (entry === undefined) {
      this.#forget(lane);
      return;
    }
    lane.place = 'group';
    lane.group.lanes.push({ lane, rank: entry.rank });
    this.#ready.add(lane.group);
  }

  #hold(lane: Lane, { name }: Limit): void {
    lane.place = 'limit';
    const held = this.#held.get(name);
    if (held === undefined) this.#held.set(name, new Set([lane]));
    else held.add(lane);
  }

  #forget(lane: Lane): void {
    lane.place = 'nowhere';
    if (!this.#lanes.delete(lane.id)) return;
    lane.group.laneCount--;
    if (lane.group.laneCount === 0) this.#groups.delete(lane.group.needs);
  }

  #group(needs: string): Group {
    const known = this.#groups.get(needs);
    if (known !== undefined) return known;
    const group: Group = { needs, laneCount: 0, lanes: new Heap((a, b) => a.rank < b.rank) };
    this.#groups.set(needs, group);
    return group;
  }
}

/** The first entry that is still wanted. */
function head(lane: Lane): Entry | undefined {
  while (lane.entries.peek()?.gone === true) lane.entries.pop();
  return lane.entries.peek();
}

/** Null: nothing is left in it. */
function firstRank({ lanes }: Group): number | null {
  for (let top = lanes.peek(); top !== undefined; top = lanes.peek()) {
    const isStale = top.lane.place !== 'group' || head(top.lane)?.rank !== top.rank;
    if (!isStale) return top.rank;
    // A lane whose first run is gone has another place, unless nobody has given it one.
    lanes.pop();
    const entry = head(top.lane);
    if (top.lane.place === 'group' && entry !== undefined && entry.rank > top.rank)
      lanes.push({ lane: top.lane, rank: entry.rank });
  }
  return null;
}
