// When jobs are due: definitions of schedules and an interval of time make instants, and nothing else.
// It must not know of the store, of hosts or of runs, and has no clock of its own.
// What is due is decided here alone: the ledger is compared with what this computes anew.
export { CronPattern } from './cron-pattern.ts';
export { ScheduleError } from './error.ts';
export { dueFrom, dueWithin, type Schedule } from './schedule.ts';
export { type Segment, Zone } from './zone.ts';
