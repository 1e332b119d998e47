// docs/zygote.md as tests, the same for every runtime.
// For the runtimes' own test files, which call `contractSuite` with a way to start their zygote and a few programs.
// Must not know any runtime.
import { claimsTests } from './claims.ts';
import { crashesTests } from './crashes.ts';
import { endsTests } from './ends.ts';
import { parkingTests } from './parking.ts';
import { probesTests } from './probes.ts';
import { runsTests } from './runs.ts';
import type { Runtime } from './runtime.ts';
import { sessionsTests } from './sessions.ts';
import { signalsTests } from './signals.ts';
import { startingTests } from './starting.ts';

export { classPrograms, job } from './class-programs.ts';
export { Conversation, until } from './conversation.ts';
export { hugePagesKib, noHugePages } from './huge-pages.ts';
export { childrenOf, factsOf, isAlive, logOf, ready, resultOf, runFileOf } from './looking.ts';
export type { Features, Programs, Runtime, StartOptions, TestedZygote } from './runtime.ts';
export { startZygote, type ZygoteProgram } from './start-zygote.ts';

export function contractSuite(runtime: Runtime): void {
  startingTests(runtime);
  sessionsTests(runtime);
  runsTests(runtime);
  claimsTests(runtime);
  signalsTests(runtime);
  endsTests(runtime);
  probesTests(runtime);
  if (runtime.features.parks) parkingTests(runtime);
  if (runtime.features.tellsItsEnd) crashesTests(runtime);
}
