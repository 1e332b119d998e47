import type { NewRun, RunKey } from '../store/index.ts';
import type { RunSpec } from './spec.ts';

type Startable = Pick<NewRun, 'key' | 'pool' | 'project' | 'dueMs'> & {
  readonly spec: RunSpec;
  readonly job: string | null;
};

/** The `run` of the wire by which a host is asked for an attempt. */
export function startRequest(run: Startable, key: RunKey, attempt: number): object {
  const { pool, spec, job, project } = run;
  return {
    key,
    pool,
    ...('class' in spec.run ? { class: spec.run.class, params: spec.run.params } : { argv: spec.run.argv }),
    ...(job === null ? {} : { job: `${project}/${job}` }),
    env: { ...spec.env, ...ownVariables(run, attempt) },
    ...(spec.cwd === null ? {} : { cwd: spec.cwd }),
    ...(spec.stdin === null ? {} : { stdin: spec.stdin }),
    ...(spec.timeout_ms === null ? {} : { timeout_ms: spec.timeout_ms }),
    kill_after_ms: spec.kill_after_ms,
  };
}

/** What a script may want to know of its run (docs/jobs.md). */
function ownVariables({ key, dueMs, spec }: Startable, attempt: number): Record<string, string> {
  return {
    ROCKSY_RUN: key,
    // A later attempt's is larger: what an earlier one still does can be told from it.
    ROCKSY_ATTEMPT: String(attempt),
    ...(dueMs === null ? {} : { ROCKSY_DUE: new Date(dueMs).toISOString() }),
    ...(spec.parents.length === 0 ? {} : { ROCKSY_PARENTS: JSON.stringify(spec.parents) }),
  };
}
