// What becomes of runs: the pure state machine, the registry of those that go on, orphans, the end of a run.
// For requests, which start runs and ask about them, and for pools, which report.
// Must not know connections, nor how an answer looks beyond a run's view.
export { logFileName, logOf, runFileOf } from './files.ts';
export type { EndingOrphan } from './orphans.ts';
export { type BegunRun, Runs } from './registry.ts';
export {
  change,
  type Exit,
  type Origin,
  type Outcome,
  type Phase,
  type Report,
  type Run,
  type RunChange,
  type RunIdentity,
  retcode,
  type Usage,
} from './run.ts';
export { type Claim, readProgress, readRunFile } from './runfile.ts';
export { Subscriptions } from './subscriptions.ts';
export { signalName, signalNumber, viewOf } from './view.ts';
