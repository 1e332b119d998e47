import { closeSync, openSync } from 'node:fs';

/** Where the fault tests can have this process die. */
export type KillStep =
  | 'zygote:forked'
  | 'zygote:ended-before-tell'
  | 'child:before-claim'
  | 'child:claimed-before-report';

/** Variables that reach the shim. */
export const TEST_VARIABLES = ['ROCKSY_TEST_KILL', 'ROCKSY_TEST_KILL_ONCE'] as const;

const { ROCKSY_TEST_KILL: wanted, ROCKSY_TEST_KILL_ONCE: marker } = process.env;

/** Dies here and now when the fault tests ask for it; with a marker file only once, whoever comes first. */
export function killInTest(step: KillStep): void {
  if (step !== wanted) return;
  if (marker !== undefined) {
    try {
      closeSync(openSync(marker, 'wx', 0o600));
    } catch {
      return;
    }
  }
  process.kill(process.pid, 'SIGKILL');
}
