// The commands of `rocksy`, one file each: words, options, and what is done with the answer.
// For program.ts, which makes a command line of them.
// Must not know each other, nor how a request reaches the daemon.
import type { Command } from 'commander';
import { complete } from './complete.ts';
import { completion } from './completion.ts';
import { doctor } from './doctor.ts';
import { drain } from './drain.ts';
import { free } from './free.ts';
import { importJobs } from './import.ts';
import { kill } from './kill.ts';
import { logs } from './logs.ts';
import { pools } from './pools.ts';
import { ps } from './ps.ts';
import { reload } from './reload.ts';
import { restart } from './restart.ts';
import { run } from './run.ts';
import { status } from './status.ts';
import { store } from './store.ts';
import { wait } from './wait.ts';

/** In the order in which help shows them. */
export const commands: readonly (() => Command)[] = [
  run,
  ps,
  status,
  logs,
  kill,
  wait,
  free,
  pools,
  reload,
  restart,
  drain,
  doctor,
  importJobs,
  store,
  completion,
  complete,
];
