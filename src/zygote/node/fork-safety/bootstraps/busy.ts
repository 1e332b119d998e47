// A zygote whose loop has no rest: its bootstrap computes for ever.
import { jobsOf } from '../jobs.ts';
import { selfCheck } from '../self-check.ts';
import { workload } from '../workload.ts';

const BUSY_MS = 10;
const zygote = process.pid;

setInterval(() => {
  if (process.pid !== zygote) return; // it ticks in each child as well
  const until = performance.now() + BUSY_MS;
  while (performance.now() < until) JSON.parse(JSON.stringify({ until }));
}, 1);

export const jobs = jobsOf([workload('all short ones, forked while the zygote is busy', selfCheck)]);
