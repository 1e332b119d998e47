// Pools of Node that don't fork (`fork: false`): a stock of processes that have loaded the user's code, one run each.
// Two programs, zygote.ts and what it starts, child.ts; started by path (src/zygote/launcher.ts), so nothing goes through here.
// Must not know how forks are made: what a child does from there to its run is child.ts of the folder above.
export {};
