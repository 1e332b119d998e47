// The HTTP API of the cloud: routes from the contract (src/api), who may ask, what each operation does, streams, metrics.
// For the program that listens.
// It must not know SQL, nor decide what a run becomes: it asks the leader and the store.

export { newToken } from './auth.ts';
export type { Cloud } from './context.ts';
export { Api, type ApiOptions } from './server.ts';
