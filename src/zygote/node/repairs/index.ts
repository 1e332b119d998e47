// What a fork breaks in Node itself, mended: the pid, random numbers, the ways to end, stdin and stdout, signals.
// For the zygote, which prepares, and its children. One file each, with a test that fails when it is taken out.
// Must not know runs, keys or the contract.
export { type Ending, leave, takeOverExits, tellMonitors } from './exits.ts';
export { repairPid } from './pid.ts';
export { replaceRandom, reseed } from './random.ts';
export { putBack, type SignalListeners, takeAway } from './signals.ts';
export { openLog, openStandardInput } from './stdio.ts';
