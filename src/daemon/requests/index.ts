// One file for each kind of request: (request, daemon) → answer.
// For the connections and the host's link to the cloud, which hand over what they read.
// Must not know sockets or frames.
export { answer } from './answer.ts';
export type { Asker, Daemon } from './context.ts';
export { type CloudScope, LOCAL, type Scope } from './scope.ts';
