import { compression } from './compression.ts';
import { computing } from './computing.ts';
import { cryptography } from './crypto.ts';
import { files } from './files.ts';
import { modules } from './modules.ts';
import { network } from './network.ts';
import { platform } from './platform.ts';
import { ownProcess } from './process.ts';
import { threads } from './threads.ts';
import { timers } from './timers.ts';
import type { Workload } from './workload.ts';

/** Of all but node:http, which takes longer to load than these to run. */
export const shortOnes: readonly Workload[] = [
  ...timers,
  ...files,
  ...network,
  ...cryptography,
  ...compression,
  ...ownProcess,
  ...threads,
  ...modules,
  ...computing,
  ...platform,
].filter(({ isShort }) => isShort);
