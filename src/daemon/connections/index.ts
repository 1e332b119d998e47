// The daemon's clients: listeners, connections (frames in, answers out, back-pressure), who may do what.
// For the wiring in rocksyd.ts; requests are answered elsewhere.
// Must not know what a request means, nor runs and pools.
export { authorize, roleOfToken } from './auth.ts';
export { type Answerer, Connection, type Transport } from './connection.ts';
export type { Description, SavedConnections } from './hand-over.ts';
export { Listeners } from './listener.ts';
export type { Task } from './task.ts';
