import type { JobDefinition, RetryPolicy } from '../jobs/index.ts';

/** Three different things, each with a setting of its own: the script failed, its process vanished, its host did. */
export type RetryReason = keyof JobDefinition['retry'];

/**
 * How long to wait before the next attempt, or null: there is none. `made` attempts ended for this reason so far, the
 * one that has ended just now among them. Half of the time is random (`random`: 0 ≤ r < 1), so that what failed together
 * does not come again together ("equal jitter", M. Brooker, Exponential Backoff And Jitter, AWS 2015).
 */
export function retryDelayMs(policy: RetryPolicy, made: number, random: number): number | null {
  if (made > policy.max) return null;
  const full = Math.min(policy.max_backoff_ms, policy.backoff_ms * policy.factor ** (made - 1));
  return Math.round(full / 2 + (full / 2) * random);
}
