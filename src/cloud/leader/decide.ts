import type { JobDefinition } from '../jobs/index.ts';
import { type Fire, madeUpFor, type Ongoing, overlapping } from '../scheduler/index.ts';
import type { SkipReason } from '../store/index.ts';

/** A fire that is noticed so late still counts as noticed in time, if it is the job's latest: a restart takes longer than no time. */
const IN_TIME_MS = 60_000;

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
  readonly pauseReasonAt: (dueMs: number) => string | null;
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
  const { definition, nowMs, pauseReasonAt } = situation;
  const chosen = chosenOf(
    fires.filter(({ hindrance }) => hindrance === null).map(({ dueMs }) => dueMs),
    situation,
  );
  const begun = [...situation.ongoing.begun];
  let waiting = [...situation.ongoing.waiting];
  let { room } = situation;
  const verdicts: Verdict[] = [];
  /** Runs that are made here, by key. */
  const made = new Map<string, { readonly at: number; readonly replace: readonly string[] }>();
  for (const [at, { dueMs, hindrance }] of fires.entries()) {
    const skip = (reason: SkipReason, detail: string | null) => verdicts.push({ run: false, reason, detail });
    if (hindrance !== null) {
      skip(hindrance, hindrance === 'paused' ? pauseReasonAt(dueMs) : null);
      continue;
    }
    if (definition.shadow) {
      skip('shadow', null);
      continue;
    }
    if (!chosen.has(dueMs)) {
      const seconds = Math.round((nowMs - dueMs) / 1000);
      skip('misfire', `noticed ${seconds} s late; misfire: ${definition.misfire.policy}`);
      continue;
    }
    const overlap = overlapping(definition.overlap, { begun, waiting });
    if (!overlap.run) {
      skip(overlap.reason, `${[...begun, ...waiting][0]} has not ended`);
      continue;
    }
    const replaced = overlap.replace.flatMap((key) => made.get(key) ?? []);
    if (room + replaced.length <= 0) {
      skip('limit', 'too many runs are waiting');
      continue;
    }
    for (const each of replaced) {
      const detail = `the run of ${new Date(dueMs).toISOString()}`;
      verdicts[each.at] = { run: false, reason: 'replaced', detail };
    }
    // What has not been made need not be ended.
    const replace = [
      ...replaced.flatMap((each) => each.replace),
      ...overlap.replace.filter((key) => !made.has(key)),
    ];
    const key = situation.keyOf(dueMs);
    room += replaced.length - 1;
    waiting = [...waiting.filter((each) => !overlap.replace.includes(each)), key];
    made.set(key, { at, replace });
    verdicts.push({ run: true, cancel: overlap.cancel, replace });
  }
  return verdicts;
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
