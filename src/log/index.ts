// The log of a process that serves: JSON lines on standard error, or lines for people on a terminal.
// It must not know what is logged, nor keep anybody waiting who logs: what nobody reads is dropped beyond a bound.
// Whoever ends a process ends it here, so that its last words are written.
export { createLog, exitAfterFlush, flushed } from './log.ts';
