// What `rocksy doctor` looks at: this machine, its PHP, its daemon, forks of its Node; each finding with the command that mends it.
// For the command `doctor`.
// Must not know how findings are shown, and changes nothing on the machine.
export { daemonChecks } from './daemon.ts';
export type { Finding, Verdict } from './finding.ts';
export { forkChecks } from './fork.ts';
export { interpreterChecks } from './interpreters.ts';
export { machineChecks } from './machine.ts';
export { phpChecks } from './php.ts';
