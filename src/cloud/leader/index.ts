// What schedules and dispatches, of several instances one at a time: jobs in force, the clock's edge, chains, hosts.
// For the API, which shows and changes it.
// It must not know HTTP, files or how anybody is told of anything.
export { type Mistake, mistakesIn } from './check.ts';
export type { FedEvent, Feed } from './feed.ts';
export { JobBook, type JobEntry } from './job-book.ts';
export { LEASE_MS, Leader, type LeaderOptions } from './leader.ts';
