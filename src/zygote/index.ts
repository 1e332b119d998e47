// The fork servers of the pools: their contract (docs/zygote.md), how they are launched, spoken to and inspected.
// For the daemon's pools; a new runtime is a new folder here.
// Must not know runs' records, the journal or clients.

export { ZygoteClient, type ZygoteListener } from './client.ts';
export * from './contract.ts';
export { allowed, inspect, notAllowed } from './inspection/index.ts';
export { type Account, type LaunchOptions, launch, type RuntimeName } from './launcher.ts';
