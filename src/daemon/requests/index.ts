// One file for each kind of request: (request, daemon) → answer.
// For the connections, which hand over what they read, and the cloud's link, which will.
// Must not know sockets or frames.
export { answer } from './answer.ts';
export type { Asker, Daemon } from './context.ts';
