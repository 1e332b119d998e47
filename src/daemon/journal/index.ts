// The journal: what this host's daemon has promised. Every run that was acknowledged and every outcome that was
// reported is in it, committed to disk first; after a crash it is what the daemon recovers from (DESIGN.md, 'The journal').
// Must not know connections, zygotes or pools, nor what a phase means beyond which one may follow which.

export { Journal, type JournalLog, type JournalOptions } from './journal.ts';
export type { Accepted, Removed } from './messages.ts';
export type { Counts, ListFilter, RunPage } from './reader.ts';
export { type Discard, type RetentionPolicy, TOMBSTONE_MS } from './retention.ts';
