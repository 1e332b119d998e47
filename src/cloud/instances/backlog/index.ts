// One look at a backlog: a command of this machine, an HTTP address, a query to PostgreSQL. A number or a reason.
// It must not know what the number is for, nor what was read before.
// A definition is written by people who are not trusted with the cloud: what it may use stands in BacklogRules.
export { type BacklogRules, backlogReader, type ReadBacklog } from './read.ts';
export type { Reading } from './reading.ts';
