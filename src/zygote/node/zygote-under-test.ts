// For the tests beside it: a real Node zygote in a folder of its own.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type StartOptions,
  startZygote as start,
  type TestedZygote,
  type ZygoteProgram,
} from '../contract-suite/index.ts';
import { FORK_ENVIRONMENT, FORK_FLAGS } from './flags.ts';

export const FIXTURES = fileURLToPath(new URL('./fixtures/', import.meta.url));

const PROGRAM: ZygoteProgram = {
  name: 'node',
  command: [process.env.ROCKSY_TEST_NODE ?? process.execPath, ...FORK_FLAGS, fileURLToPath(new URL('./zygote.ts', import.meta.url))],
  env: FORK_ENVIRONMENT,
  bootstrap: join(FIXTURES, 'jobs.ts'),
};

/** Loads fixtures/jobs.ts unless another bootstrap is given. */
export function startZygote(options?: StartOptions): TestedZygote {
  return start(PROGRAM, options);
}
