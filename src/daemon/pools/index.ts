// The pools: which zygotes there are, which generation serves, which runs wait for a place.
// For the runs' registry, which hands runs over and hears what becomes of them.
// Must not know the journal, clients or how a run ended.
export type { Generation } from './generation.ts';
export { type OnFailedStart, Pool, type PoolListener } from './pool.ts';
export { Pools } from './pools.ts';
