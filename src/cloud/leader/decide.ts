import type { JobDefinition } from '../jobs/index.ts';
import { type Fire, madeUpFor, type Ongoing, overlapping } from '../scheduler/index.ts';
import type { SkipReason } from '../store/index.ts';

/** A fire that is noticed so late still counts as noticed in time, if it is the job's latest: a restart takes longer than no time. */
export const IN_TIME_MS = 60_000;

export interface Situation {
  readonly definition: Pick<JobDefinition, 'misfire' | 'overlap' | 'shadow'>;
  readonly nowMs: number;
  /** Fires behind these, which are not among them, are past as well: none of these is the latest. */
  readonly moreFollow: boolean;
  /** With `misfire: all`: what was due before this is not made up for. Else of no meaning. */
  readonly makeUpFromMs: number;
  readonly ongoing: Ongoing;
  /** So many more runs may wait. */
  readonly room: number;
  readonly pauseReason: string | null;
  readonly keyOf: (dueMs: number) => string;
}

export type Verdict =
  | {
      readonly run: true;
      /** Runs that have begun and are to end for it, and runs that have not and never will. */
      readonly cancel: readonly string[];
      readonly replace: readonly string[];
    }
  | { readonly run: false; readonly reason: SkipReason; readonly detail: string | null };

/** What becomes of each of these fires of one job, in order. Pure. */
export function decide(fires: readonly Fire[], situation: Situation): Verdict[] {
  const { definition, nowMs, pauseReason } = situation;
  const chosen = chosenOf(
    fires.filter(({ hindrance }) => hindrance === null).map(({ dueMs }) => dueMs),
    situation,
  );
  const begun = [...situation.ongoing.begun];
  let waiting = [...situation.ongoing.waiting];
  let { room } = situation;
  return fires.map(({ dueMs, hindrance }): Verdict => {
    if (hindrance !== null)
      return { run: false, reason: hindrance, detail: hindrance === 'paused' ? pauseReason : null };
    if (definition.shadow) return { run: false, reason: 'shadow', detail: null };
    if (!chosen.has(dueMs)) {
      const late = `noticed ${Math.round((nowMs - dueMs) / 1000)} s late; misfire: ${definition.misfire.policy}`;
      return { run: false, reason: 'misfire', detail: late };
    }
    if (room <= 0) return { run: false, reason: 'limit', detail: 'too many runs are waiting' };
    const overlap = overlapping(definition.overlap, { begun, waiting });
    if (!overlap.run)
      return { run: false, reason: overlap.reason, detail: `${[...begun, ...waiting][0]} has not ended` };
    room--;
    waiting = [...waiting.filter((key) => !overlap.replace.includes(key)), situation.keyOf(dueMs)];
    return { run: true, cancel: overlap.cancel, replace: overlap.replace };
  });
}

/** Those that run: the one that is in time, and what is made up for. With `once`, one stands for all. */
function chosenOf(due: readonly number[], situation: Situation): ReadonlySet<number> {
  const { definition, nowMs, moreFollow, makeUpFromMs } = situation;
  const { policy, within_ms: withinMs, max } = definition.misfire;
  const last = due.at(-1);
  if (last === undefined) return new Set();
  if (policy === 'all') {
    const recent = madeUpFor(due, { policy, withinMs, max: due.length }, nowMs);
    const inTime = !moreFollow && nowMs - last <= IN_TIME_MS ? [last] : [];
    return new Set([...recent.filter((at) => at >= makeUpFromMs), ...inTime]);
  }
  if (moreFollow) return new Set();
  if (nowMs - last <= IN_TIME_MS) return new Set([last]);
  return new Set(madeUpFor(due, { policy, withinMs, max }, nowMs));
}
