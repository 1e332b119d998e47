// Tries workloads in children that a real zygote forks, on request and parked, and reports which of them hang, crash or are
// wrong. For `rocksy doctor --fork`, `npm run fork-safety` and the tests; the zygote is launched and asked as by a daemon.
// Must not know the workloads, which the bootstrap has.
export { ALLOW, BOOTSTRAPS } from '../fork-safety/index.ts';
export type { Failure, Report } from './report.ts';
export { type Subject, type Trial, tryWorkloads } from './trials.ts';
