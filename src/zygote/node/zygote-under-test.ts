// For the tests beside it: a real Node zygote in a folder of its own.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type StartOptions,
  startZygote as start,
  type TestedZygote,
  type ZygoteProgram,
} from '../contract-suite/index.ts';
import { FORK_ENVIRONMENT, FORK_FLAGS, START_FLAGS } from './flags.ts';

export const FIXTURES = fileURLToPath(new URL('./fixtures/', import.meta.url));
/** scripts/setup.sh --for-tests has put it there. */
export const NODE_26 = fileURLToPath(
  new URL('../../../test/node-26/node_modules/node/bin/node', import.meta.url),
);

const bootstrap = join(FIXTURES, 'jobs.ts');
const FORKING = fileURLToPath(new URL('./zygote.ts', import.meta.url));
const STARTING = fileURLToPath(new URL('./started/zygote.ts', import.meta.url));

/** A zygote that loads fixtures/jobs.ts unless another bootstrap is given. */
export type Start = (options?: StartOptions) => TestedZygote;

const starting =
  (program: ZygoteProgram): Start =>
  (options) =>
    start(program, options);

const forkedOn = (node: string): Start =>
  starting({
    name: 'node',
    command: [node, ...FORK_FLAGS, FORKING],
    env: FORK_ENVIRONMENT,
    bootstrap,
  });

const startedOn = (node: string): Start =>
  starting({
    name: 'node',
    command: [process.execPath, STARTING, node, ...START_FLAGS],
    env: {},
    bootstrap,
  });

export const startZygote = forkedOn(process.execPath);
/** Forked on the other Node. */
export const startZygote26 = forkedOn(NODE_26);
/** A process is started for each run; not on the Node that the zygote runs on. */
export const startWithoutFork = startedOn(NODE_26);

/** With fixtures/ways.ts. */
export function waysOf(start: Start, prefork = 0): () => TestedZygote {
  return () => start({ config: { bootstrap: join(FIXTURES, 'ways.ts'), prefork } });
}
