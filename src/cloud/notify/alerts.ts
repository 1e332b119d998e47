import { flush, GATHER_MS, type Gathering, gather } from './gather.ts';
import { type Incident, sweepDueMs } from './incident.ts';
import { observeJob, sweepJob } from './job-incidents.ts';
import type { News, Notice } from './notice.ts';
import type { Observation } from './observation.ts';

/**
 * Plain data. Whoever keeps it may bring less than all: the incidents of the jobs that are observed, and those that have
 * something to do by now. Gatherings are always brought all; there are few, and they live for a minute.
 */
export interface AlertState {
  readonly incidents: readonly Incident[];
  readonly gatherings: readonly Gathering[];
}

export interface AlertStep {
  readonly state: AlertState;
  readonly notices: readonly Notice[];
}

export const QUIET_STATE: AlertState = { incidents: [], gatherings: [] };

/**
 * The state after these observations, in their order, and what is to be told now.
 * @param nowMs when they became known
 * @param gatherMs how long news wait for others with the same cause
 */
export function observe(
  state: AlertState,
  observations: readonly Observation[],
  nowMs: number,
  gatherMs: number = GATHER_MS,
): AlertStep {
  const byJob = Map.groupBy(state.incidents, ({ job }) => job);
  const news: News[] = [];
  for (const seen of observations) {
    const step = observeJob(byJob.get(seen.job) ?? [], seen, nowMs);
    byJob.set(seen.job, [...step.incidents]);
    news.push(...step.news);
  }
  return tell({ ...state, incidents: [...byJob.values()].flat() }, news, nowMs, gatherMs);
}

/** What time alone brings: reminders, the end of what is quiet, notices that have gathered for long enough. */
export function sweep(state: AlertState, nowMs: number, gatherMs: number = GATHER_MS): AlertStep {
  const { incidents, news } = sweepJob(state.incidents, nowMs);
  return tell({ ...state, incidents }, news, nowMs, gatherMs);
}

/** When to `sweep` next; null: nothing waits. */
export function nextSweepMs({ incidents, gatherings }: AlertState): number | null {
  const dues = [...incidents.map(sweepDueMs), ...gatherings.map(({ dueMs }) => dueMs)];
  return dues.reduce((a, b) => (a === null || (b !== null && b < a) ? b : a), null);
}

function tell(state: AlertState, news: readonly News[], nowMs: number, gatherMs: number): AlertStep {
  const flushed = flush(state.gatherings, nowMs);
  const notices = [...flushed.notices];
  let { gatherings } = flushed;
  for (const each of news) {
    const step = gather(gatherings, each, nowMs, gatherMs);
    gatherings = step.gatherings;
    notices.push(...step.notices);
  }
  const last = gatherMs > 0 ? { gatherings, notices: [] } : flush(gatherings, nowMs);
  return {
    state: { incidents: state.incidents, gatherings: last.gatherings },
    notices: [...notices, ...last.notices],
  };
}
