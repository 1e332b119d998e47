// The commands of `rocksy` that ask the cloud over its HTTP API, and `rocksy server`, which is the cloud.
// For program.ts.
// They must not know how the cloud does anything.
import type { Command } from 'commander';
import { alerts } from './alerts.ts';
import { apply } from './apply.ts';
import { backfill } from './backfill.ts';
import { cordon, hosts } from './hosts.ts';
import { jobs } from './jobs.ts';
import { pause, resume } from './pause.ts';
import { cancel, rerun, runs } from './runs.ts';
import { server } from './server.ts';
import { shadow } from './shadow.ts';
import { audit, tokens } from './tokens.ts';
import { top } from './top.ts';
import { trigger } from './trigger.ts';
import { up } from './up/index.ts';
import { why } from './why.ts';

/** In the order in which help shows them. */
export const cloudCommands: readonly (() => Command)[] = [
  up,
  server,
  apply,
  jobs,
  trigger,
  runs,
  cancel,
  rerun,
  backfill,
  shadow,
  why,
  pause,
  resume,
  hosts,
  cordon,
  alerts,
  tokens,
  audit,
  top,
];
export { cloudOr, withCloud } from './context.ts';
export { drain as drainHost } from './hosts.ts';
export { logsOfCloud } from './logs.ts';
