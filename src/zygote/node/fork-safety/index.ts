// What jobs do, as workloads of Node's own that check their own result: proof that a forked child is a whole Node.
// For zygotes that check themselves, and for src/zygote/node/trials, which runs each in forked children, many times.
// Must not know how children are made.
export { ALLOW, BOOTSTRAPS } from './bootstraps/index.ts';
export { INPUT } from './input.ts';
export { jobsOf, type Listed } from './jobs.ts';
export { checkAll, selfCheck } from './self-check.ts';
export { inFolder, short, type Workload, workload } from './workload.ts';
