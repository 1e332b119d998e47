import { compression } from './compression.ts';
import { computing } from './computing.ts';
import { cryptography } from './crypto.ts';
import { database } from './database.ts';
import { files } from './files.ts';
import { httpWorkloads } from './http.ts';
import { modules } from './modules.ts';
import { network } from './network.ts';
import { platform } from './platform.ts';
import { ownProcess } from './process.ts';
import { processes } from './processes.ts';
import { threads } from './threads.ts';
import { timers } from './timers.ts';
import type { Workload } from './workload.ts';

/** All that a process can be tried with, whether it is a fork or not. */
export const workloads: readonly Workload[] = [
  ...timers,
  ...files,
  ...network,
  ...httpWorkloads,
  ...cryptography,
  ...compression,
  ...processes,
  ...ownProcess,
  ...threads,
  ...modules,
  ...computing,
  ...platform,
  ...database,
];
