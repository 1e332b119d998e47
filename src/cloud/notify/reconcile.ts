import type { RunRecord } from '../store/index.ts';
import type { Incident } from './incident.ts';
import type { Observation } from './observation.ts';

/**
 * What must be over, whether anybody was told so or not: events may have been forgotten before they were read. Of jobs
 * that are there no more, everything; of late or too long runs, those that are not any more.
 * @param active all runs of jobs that have not ended
 * @param jobs `project/name` of all jobs that there are
 */
export function overdueEnds(
  incidents: readonly Incident[],
  active: readonly RunRecord[],
  jobs: ReadonlySet<string>,
  nowMs: number,
): Observation[] {
  const begun = new Map(active.map((run) => [run.key as string, run.attempt > 1 || run.startedMs !== null]));
  return incidents.flatMap(({ job, kind, runs }): Observation[] => {
    const over = { job, cause: '', atMs: nowMs };
    if (!jobs.has(job)) return [{ ...over, kind: 'removed', runKey: null }];
    // Only late and too long incidents have runs.
    return runs
      .filter((runKey) => {
        const hasBegun = runKey === null ? undefined : begun.get(runKey);
        return kind === 'late' ? hasBegun !== false : hasBegun === undefined;
      })
      .map((runKey) => ({ ...over, kind: kind === 'late' ? 'late_over' : 'too_long_over', runKey }));
  });
}
