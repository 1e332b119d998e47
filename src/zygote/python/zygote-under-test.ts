// For the tests beside it: a real Python zygote in a folder of its own.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type StartOptions,
  startZygote as start,
  type TestedZygote,
  type ZygoteProgram,
} from '../contract-suite/index.ts';

/** Debian's, whatever is first in PATH; another one to try others: PYTHON=… npm test -- src/zygote/python/zygote.test.ts */
const INTERPRETER = process.env.PYTHON ?? '/usr/bin/python3';
export const FIXTURES = fileURLToPath(new URL('./fixtures/', import.meta.url));

const PROGRAM: ZygoteProgram = {
  name: 'python',
  command: [INTERPRETER, fileURLToPath(new URL('./zygote.py', import.meta.url))],
  // The checkout stays as it is.
  env: { PYTHONDONTWRITEBYTECODE: '1' },
  bootstrap: join(FIXTURES, 'jobs.py'),
};

/** Loads fixtures/jobs.py unless another bootstrap is given. */
export function startZygote(options?: StartOptions): TestedZygote {
  return start(PROGRAM, options);
}
