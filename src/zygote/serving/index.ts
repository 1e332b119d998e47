// What the zygotes written in TypeScript have in common: sessions with the daemon, runs from `start` to `ack`, reports of
// children, deadlines, what runs leave behind. For command/ and node/, which differ in how a child is made.
// Must not know how that is done, nor the daemon beyond the contract of docs/zygote.md.
export { takeConfig } from './config.ts';
export { after, type Cancel, cancelAll } from './deadline.ts';
export { probe } from './probe.ts';
export { type Report, Reports } from './reports.ts';
export { isCText, parseRunStart, type RawRequest, type RunStart } from './request.ts';
export { Runs, type System } from './runs.ts';
export { type Runtime, Server } from './server.ts';
export { signal } from './signal.ts';
export { killInTest, TEST_VARIABLES } from './test-kill.ts';
