import type { EndedBound, Removed } from './messages.ts';
import type { Turns } from './turns.ts';

/** How long a key that was freed with a tombstone may not run again. */
export const TOMBSTONE_MS = 30 * 24 * 60 * 60 * 1000;

/** What is kept of the runs that have ended. */
export interface RetentionPolicy {
  /** Runs that ended longer ago are forgotten. */
  readonly maxAgeMs: number;
  /** Of what is left the newest so many are kept. */
  readonly maxCount: number;
  readonly nowMs: number;
  /** How many to forget at most with this call (10,000): whoever asked deletes their files, then asks again. */
  readonly limit?: number;
}

/** What one turn forgets: a few milliseconds, for which the writes that share it wait. */
const SLICE = 500;
const CALL = 10_000;

/** Forgets ended runs that are too old or too many, oldest first, and tombstones past their time. */
export async function expire(turns: Turns, policy: RetentionPolicy): Promise<Removed[]> {
  const upTo = await boundOf(turns, policy);
  const limit = policy.limit ?? CALL;
  const removed: Removed[] = [];
  while (removed.length < limit) {
    const slice = Math.min(SLICE, limit - removed.length);
    const gone = await turns.submit({ op: 'expire', upTo, limit: slice });
    removed.push(...gone);
    if (gone.length < slice) break;
  }
  await expireTombstones(turns, policy.nowMs - TOMBSTONE_MS);
  return removed;
}

/** Up to where runs go: the later of what age says and what count says. */
async function boundOf(turns: Turns, { nowMs, maxAgeMs, maxCount }: RetentionPolicy): Promise<EndedBound> {
  const tooOld: EndedBound = { endedMs: nowMs - maxAgeMs, seq: -1 };
  if (!Number.isFinite(maxCount)) return tooOld;
  const tooMany = await turns.submit({ op: 'excess', keep: Math.max(0, Math.floor(maxCount)) });
  return tooMany !== null && tooMany.endedMs >= tooOld.endedMs ? tooMany : tooOld;
}

async function expireTombstones(turns: Turns, beforeMs: number): Promise<void> {
  while ((await turns.submit({ op: 'expireTombstones', beforeMs, limit: SLICE })) === SLICE);
}
