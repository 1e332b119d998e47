// Jobs as code: files that people write in, definitions out, and what differs between two sets of them.
// It must not know where definitions are kept or when they are due. Nothing is read from the disk here.
// A definition is plain data: what the store keeps as JSON, and what a later release still reads.
export type {
  ConcurrencyDefinition,
  JobDefinition,
  RetryPolicy,
  RunDefinition,
  ScheduleDefinition,
} from './definition.ts';
export { type Change, type Difference, differenceOf } from './difference.ts';
export { definitionOf, parseJobs } from './parse.ts';
export { type JobFile, jobFileSchema, type RawJob } from './schema.ts';
export { timingOf } from './timing.ts';
