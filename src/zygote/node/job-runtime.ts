import type { ZygoteConfig } from '../contract.ts';
import { probe, type Runs, type Runtime } from '../serving/index.ts';
import type { Parking } from './parking.ts';
import { type JobStart, PROBE, parseJob } from './request.ts';

/** What sessions see of a zygote of jobs, whether they are forked or started. Parking opens when the probe has succeeded. */
export function jobRuntime(
  config: ZygoteConfig,
  parking: Parking,
  runs: Runs<JobStart>,
): Omit<Runtime<JobStart>, 'descriptors' | 'left'> {
  return {
    parseStart: parseJob,
    probe: (done) =>
      probe(
        runs,
        config,
        (start) => ({ ...start, class: PROBE, params: null }),
        (problem) => {
          if (problem === null) parking.open();
          done(problem);
        },
      ),
    parked: () => parking.count,
    drain: () => parking.close(),
  };
}
