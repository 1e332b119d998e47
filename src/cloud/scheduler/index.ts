// When jobs are due: definitions of schedules and an interval of time make instants, and nothing else.
// It must not know of the store, of hosts or of runs, and has no clock of its own.
// What is due is decided here alone: the ledger is compared with what this computes anew.
export { CronPattern } from './cron-pattern.ts';
export { ScheduleError } from './error.ts';
export { type Fire, firesWithin, type Pause, type Version } from './fires.ts';
export { type MisfirePolicy, madeUpFor } from './misfire.ts';
export { type Ongoing, type OverlapDecision, type OverlapPolicy, overlapping } from './overlap.ts';
export { dueFrom, dueWithin, type Schedule } from './schedule.ts';
export {
  type Blackout,
  dueInstants,
  hindrance,
  jitterOf,
  nextDue,
  nextWithin,
  type Timing,
} from './timing.ts';
export { type Segment, Zone } from './zone.ts';
