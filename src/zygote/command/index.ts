// The zygote of command pools: a small Node process that starts commands through shim.pl and reaps them.
// Started as a program (zygote.ts) by src/zygote/launcher.ts; nobody imports it, so this door is for its tests.
// Must not know the daemon beyond the contract of docs/zygote.md.
export type { CommandStart } from './request.ts';
