import type { NewRun, RunKey } from '../store/index.ts';
import type { RunSpec } from './spec.ts';

/** The `run` of the wire by which a host is asked for an attempt. */
export function startRequest(
  { pool, spec, job }: Pick<NewRun, 'pool'> & { readonly spec: RunSpec; readonly job: string | null },
  key: RunKey,
  attempt: number,
): object {
  const env = { ...spec.env, ...(attempt > 1 ? { ROCKSY_ATTEMPT: String(attempt) } : {}) };
  return {
    key,
    pool,
    ...('class' in spec.run ? { class: spec.run.class, params: spec.run.params } : { argv: spec.run.argv }),
    ...(job === null ? {} : { job }),
    ...(Object.keys(env).length === 0 ? {} : { env }),
    ...(spec.cwd === null ? {} : { cwd: spec.cwd }),
    ...(spec.stdin === null ? {} : { stdin: spec.stdin }),
    ...(spec.timeout_ms === null ? {} : { timeout_ms: spec.timeout_ms }),
    kill_after_ms: spec.kill_after_ms,
  };
}
