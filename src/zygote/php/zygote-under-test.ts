// For the tests beside it: a real PHP zygote in a folder of its own.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type StartOptions,
  startZygote as start,
  type TestedZygote,
  type ZygoteProgram,
} from '../contract-suite/index.ts';
import { PHP_FLAGS } from '../launcher.ts';

export const FIXTURES = fileURLToPath(new URL('./fixtures/', import.meta.url));

const PROGRAM: ZygoteProgram = {
  name: 'php',
  command: ['php', ...PHP_FLAGS, fileURLToPath(new URL('./zygote.php', import.meta.url))],
  env: { USE_ZEND_ALLOC_HUGE_PAGES: '1' },
  bootstrap: join(FIXTURES, 'jobs.php'),
};

/** Loads fixtures/jobs.php unless another bootstrap is given. */
export function startZygote(options?: StartOptions): TestedZygote {
  return start(PROGRAM, options);
}
