// YAML files that people write: read, checked by a schema, and everything that is wrong said by line and key.
// It must not know what any of them is about: a schema comes in, plain data and problems go out.
// Of the disk it knows only how a file is read as text, and how a text is kept.
export { durationMs, longestTimerMs, sizeBytes } from './amounts.ts';
export { Findings } from './findings.ts';
export { keepText, keptText } from './kept-text.ts';
export {
  type BadAddress,
  isBadAddress,
  isBeyondLoopback,
  isLoopbackHost,
  type Listen,
  parseListen,
} from './listen.ts';
export {
  DocumentError,
  describeValue,
  formatKey,
  formatProblem,
  type KeyPath,
  type Problem,
  suggest,
} from './problem.ts';
export { type Position, type ReadDocument, readDocument } from './read.ts';
export { closed, duration, flag, integer, size, text } from './schema-parts.ts';
export { readText } from './text.ts';
export { formatDuration, formatSize, parseDuration, parseSize } from './units.ts';
export { Checker, type Validated, type Violation } from './validate.ts';
