import { jobsOf, type Workload } from '../../src/zygote/node/fork-safety/index.ts';

/** Set: the bootstrap has used the package when the zygote forks. Otherwise it has loaded it, and no more. */
const USED = 'ROCKSY_FORK_SAFETY_USED';

/** The `jobs` of a bootstrap that tries a package. */
export async function packageJobs(workloads: readonly Workload[]): Promise<ReturnType<typeof jobsOf>> {
  if (process.env[USED] !== undefined) for (const { run } of workloads) await run();
  return jobsOf(workloads);
}
